import Synchronization

/// Where a picture's planes lie in its memory.
struct VideoFrameLayout: Hashable, Sendable {
  /// What SIMD code of codecs and scalers likes rows to begin at, and may read past the end.
  private static let alignment = 64

  let size: VideoSize

  func stride(_ plane: VideoFrame.Plane) -> Int {
    let width = plane == .y ? size.width : size.chroma.width
    return (width + Self.alignment - 1) / Self.alignment * Self.alignment
  }

  func byteCount(_ plane: VideoFrame.Plane) -> Int {
    stride(plane) * (plane == .y ? size.height : size.chroma.height)
  }

  func offset(_ plane: VideoFrame.Plane) -> Int {
    switch plane {
    case .y: 0
    case .u: byteCount(.y)
    case .v: byteCount(.y) + byteCount(.u)
    }
  }

  var byteCount: Int { offset(.v) + byteCount(.v) + Self.alignment }

  func allocate() -> UnsafeMutableRawPointer {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: Self.alignment)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    return memory
  }
}

/// A picture's memory, given back to the pool with its last owner.
///
/// `@unchecked Sendable`: written by `VideoFrame`'s inits only, before anyone else knows of it.
final class VideoFrameStorage: @unchecked Sendable {
  let layout: VideoFrameLayout
  private let memory: UnsafeMutableRawPointer

  init(_ size: VideoSize) {
    layout = VideoFrameLayout(size: size)
    memory = VideoFramePool.shared.take(layout)
  }

  deinit { VideoFramePool.shared.giveBack(memory, layout) }

  func start(of plane: VideoFrame.Plane) -> UnsafeMutablePointer<UInt8> {
    memory.advanced(by: layout.offset(plane)).assumingMemoryBound(to: UInt8.self)
  }

  subscript(plane: VideoFrame.Plane) -> UnsafeMutableBufferPointer<UInt8> {
    UnsafeMutableBufferPointer(start: start(of: plane), count: layout.byteCount(plane))
  }
}

/// Memory of pictures that are gone, for those that come: a stream's pictures all have one size.
///
/// Holds at most `countLimit` pieces of at most `byteLimit` bytes together; the piece that waited longest goes first.
final class VideoFramePool: Sendable {
  static let shared = VideoFramePool()
  static let countLimit = 16
  static let byteLimit = 32 << 20

  /// `@unchecked Sendable`: the memory has no other owner while it is free.
  private struct Free: @unchecked Sendable {
    let memory: UnsafeMutableRawPointer
    let layout: VideoFrameLayout
  }

  private let free = Mutex<[Free]>([])

  /// What the pool holds now.
  var byteCount: Int { free.withLock { $0.reduce(0) { $0 + $1.layout.byteCount } } }

  func take(_ layout: VideoFrameLayout) -> UnsafeMutableRawPointer {
    let piece = free.withLock { free in
      free.lastIndex { $0.layout == layout }.map { free.remove(at: $0) }
    }
    return piece?.memory ?? layout.allocate()
  }

  func giveBack(_ memory: UnsafeMutableRawPointer, _ layout: VideoFrameLayout) {
    let piece = Free(memory: memory, layout: layout)
    let gone = free.withLock { free in
      free.append(piece)
      var gone: [Free] = []
      while free.count > Self.countLimit || free.reduce(0, { $0 + $1.layout.byteCount }) > Self.byteLimit {
        gone.append(free.removeFirst())
      }
      return gone
    }
    for piece in gone { piece.memory.deallocate() }
  }
}
