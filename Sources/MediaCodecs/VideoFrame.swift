/// A picture's width and height in pixels.
public struct VideoSize: Hashable, Sendable {
  /// The widest and highest picture that VP8 can say (14 bits); the bound for every picture here.
  public static let longestSide = 16_383

  public var width: Int
  public var height: Int

  public init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }

  public var pixelCount: Int { width * height }

  /// Whether both sides are 1 to 16 383.
  public var isValid: Bool {
    (1...Self.longestSide).contains(width) && (1...Self.longestSide).contains(height)
  }

  /// Half of each side; odd sides round up.
  package var halved: VideoSize { VideoSize(width: (width + 1) / 2, height: (height + 1) / 2) }

  /// The half-size chroma planes' size.
  var chroma: VideoSize { halved }
}

/// One picture: planar I420 (8-bit Y, then U and V at half width and height), BT.601 in the limited range.
///
/// The pixels are shared between copies and never change once the picture is made. Their memory comes from, and goes back to, a
/// small pool.
public struct VideoFrame: Sendable {
  /// The planes, in the order in which I420 has them.
  public enum Plane: Int, Sendable, CaseIterable {
    case y, u, v
  }

  /// When the picture was captured, in its source's own time: since the source's beginning.
  public var timestamp: Duration
  private let storage: VideoFrameStorage

  /// Makes a picture whose pixels `fill` writes, plane by plane.
  ///
  /// - Parameters:
  ///   - size: both sides 1 to 16 383.
  ///   - fill: must write every visible pixel: the memory may hold an earlier picture. Called once for each plane with its
  ///     pixels, row after row, and the distance between two rows' beginnings.
  public init<Failure: Error>(
    size: VideoSize, timestamp: Duration,
    fill: (Plane, _ pixels: inout MutableSpan<UInt8>, _ stride: Int) throws(Failure) -> Void
  ) throws(Failure) {
    precondition(size.isValid, "a picture's sides are 1 to 16383")
    let storage = VideoFrameStorage(size)
    for plane in Plane.allCases {
      var pixels = MutableSpan(_unsafeElements: storage[plane])
      try fill(plane, &pixels, storage.layout.stride(plane))
    }
    self.storage = storage
    self.timestamp = timestamp
  }

  /// Makes a picture that C code writes: each plane's first pixel and stride.
  package init<Failure: Error>(
    size: VideoSize, timestamp: Duration,
    fillPlanes: ([UnsafeMutablePointer<UInt8>], _ strides: [Int32]) throws(Failure) -> Void
  ) throws(Failure) {
    precondition(size.isValid, "a picture's sides are 1 to 16383")
    let storage = VideoFrameStorage(size)
    try fillPlanes(
      Plane.allCases.map { storage.start(of: $0) }, Plane.allCases.map { Int32(storage.layout.stride($0)) })
    self.storage = storage
    self.timestamp = timestamp
  }

  public var size: VideoSize { storage.layout.size }
  public var width: Int { size.width }
  public var height: Int { size.height }

  /// The size of a plane: the picture's for Y, half of it (rounded up) for U and V.
  public func size(of plane: Plane) -> VideoSize { plane == .y ? size : size.chroma }

  /// Reads a plane.
  ///
  /// - Parameter body: gets the pixels, row after row, and the distance between two rows' beginnings; between a row's last
  ///   pixel and the next row's first lie bytes without a meaning.
  public func withPixels<Result, Failure: Error>(
    of plane: Plane, _ body: (Span<UInt8>, _ stride: Int) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(Span(_unsafeElements: UnsafeBufferPointer(storage[plane])), storage.layout.stride(plane))
  }

  /// For C code, which must only read: each plane's first pixel and stride, valid during `body`.
  package func withUnsafePlanes<Result, Failure: Error>(
    _ body: ([UnsafeMutablePointer<UInt8>], _ strides: [Int32]) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(storage) {} }
    return try body(
      Plane.allCases.map { storage.start(of: $0) }, Plane.allCases.map { Int32(storage.layout.stride($0)) })
  }
}

/// What a picture looks like from far away.
public struct MeanColor: Equatable, Sendable {
  /// 16 (black) to 235 (white).
  public var y: Double
  /// 128 is grey.
  public var u: Double
  /// 128 is grey.
  public var v: Double

  public init(y: Double, u: Double, v: Double) {
    (self.y, self.u, self.v) = (y, u, v)
  }

  /// Red, green and blue, 0 to 255 (BT.601).
  public var rgb: (red: Double, green: Double, blue: Double) {
    let (luma, u, v) = (1.164 * (y - 16), u - 128, v - 128)
    func clamped(_ value: Double) -> Double { min(max(value, 0), 255) }
    return (clamped(luma + 1.596 * v), clamped(luma - 0.392 * u - 0.813 * v), clamped(luma + 2.017 * u))
  }
}

extension VideoFrame {
  /// The mean of all pixels, plane by plane.
  public var meanColor: MeanColor { MeanColor(y: mean(of: .y), u: mean(of: .u), v: mean(of: .v)) }

  private func mean(of plane: Plane) -> Double {
    let size = size(of: plane)
    return withPixels(of: plane) { pixels, stride in
      pixels.withUnsafeBufferPointer { pixels in
        var sum = 0
        for row in 0..<size.height {
          for index in row * stride..<row * stride + size.width { sum &+= Int(pixels[index]) }
        }
        return Double(sum) / Double(size.pixelCount)
      }
    }
  }
}
