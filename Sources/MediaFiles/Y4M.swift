import Glibc
public import MediaCodecs
import Synchronization

/// Pictures from a YUV4MPEG2 stream: a file, or what another program pipes into standard input.
///
/// 8-bit 4:2:0 only. One picture is in memory at a time.
///
/// `@unchecked Sendable`: `count` and the reading position are used only while `lock` is held.
public final class Y4MReader: @unchecked Sendable {
  private static let longestLine = 1_024

  /// Every picture's size.
  public let size: VideoSize
  /// Pictures a second.
  public let frameRate: Double
  /// The same as a whole number, 1 to 120.
  public var framesPerSecond: Int { Int(min(max(frameRate.rounded(), 1), 120)) }
  private let rate: (numerator: Int64, denominator: Int64)
  private let input: Y4MInput
  private var count: Int64 = 0
  private let lock = Mutex(())

  /// Reads a file's header.
  public convenience init(path: String) throws(MediaFileError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      let isMissing = errno == ENOENT
      throw MediaFileError(
        code: isMissing ? .noSuchFile : .cannotOpen, path: path,
        reason: isMissing ? "" : String(cString: strerror(errno)))
    }
    try self.init(descriptor: descriptor, name: path, isOwner: true)
  }

  /// Waits for standard input to bring its header.
  public static func standardInput() throws(MediaFileError) -> Y4MReader {
    try Y4MReader(descriptor: STDIN_FILENO, name: "standard input", isOwner: false)
  }

  private init(descriptor: Int32, name: String, isOwner: Bool) throws(MediaFileError) {
    input = Y4MInput(descriptor: descriptor, name: name, isOwner: isOwner)
    let words = try input.readLine(limit: Self.longestLine)?.split(separator: " ") ?? []
    guard words.first == "YUV4MPEG2" else { throw MediaFileError(code: .notMedia, path: name) }
    var (width, height) = (0, 0)
    var rate: (numerator: Int64, denominator: Int64) = (30, 1)
    for word in words.dropFirst() {
      let value = word.dropFirst()
      switch word.first {
      case "W": width = Int(value) ?? 0
      case "H": height = Int(value) ?? 0
      case "F":
        let parts = value.split(separator: ":").compactMap { Int64($0) }
        guard parts.count == 2, parts.allSatisfy({ (1...1_000_000).contains($0) }) else { continue }
        rate = (parts[0], parts[1])
      case "C" where !["420", "420jpeg", "420mpeg2", "420paldv"].contains(value):
        throw MediaFileError(
          code: .cannotDecode, path: name, reason: "its colours are C\(value), and only C420 is read")
      case "I" where value != "p" && value != "?":
        throw MediaFileError(code: .cannotDecode, path: name, reason: "its pictures are interlaced")
      default: continue
      }
    }
    size = VideoSize(width: width, height: height)
    guard size.isValid, size.pixelCount <= VideoFileReader.pixelLimit else {
      throw MediaFileError(code: .cannotDecode, path: name, reason: "pictures of \(width)×\(height)")
    }
    self.rate = rate
    frameRate = Double(rate.numerator) / Double(rate.denominator)
  }

  /// The next picture; waits for it where it comes through a pipe. Its timestamp is its number divided by the frame rate.
  ///
  /// - Returns: nil when the stream has ended, be it in the middle of a picture.
  public func nextFrame() throws(MediaFileError) -> VideoFrame? {
    try lock.withLock { _ throws(MediaFileError) in
      guard let line = try input.readLine(limit: Self.longestLine) else { return nil }
      guard line == "FRAME" || line.hasPrefix("FRAME ") else {
        throw MediaFileError(
          code: .cannotDecode, path: input.name, reason: "there is no picture where one should begin")
      }
      let (seconds, rest) = (count * rate.denominator).quotientAndRemainder(dividingBy: rate.numerator)
      let timestamp = .seconds(seconds) + Duration.nanoseconds(rest * 1_000_000_000 / rate.numerator)
      var isWhole = true
      let frame = try VideoFrame(size: size, timestamp: timestamp) { plane, pixels, stride throws(MediaFileError) in
        let visible = plane == .y ? size : VideoSize(width: (size.width + 1) / 2, height: (size.height + 1) / 2)
        for row in 0..<visible.height where isWhole {
          isWhole = try input.read(into: &pixels, row * stride..<row * stride + visible.width)
        }
      }
      count += 1
      return isWhole ? frame : nil
    }
  }
}

/// A descriptor and what was read ahead of it.
private final class Y4MInput {
  let name: String
  private let descriptor: Int32
  private let isOwner: Bool
  private var buffer = [UInt8](repeating: 0, count: 65_536)
  private var unread = 0..<0

  init(descriptor: Int32, name: String, isOwner: Bool) {
    self.descriptor = descriptor
    self.name = name
    self.isOwner = isOwner
  }

  deinit {
    if isOwner { close(descriptor) }
  }

  /// - Returns: the line without its end; nil at the stream's end.
  /// - Throws: `notMedia` when it is longer than `limit`.
  func readLine(limit: Int) throws(MediaFileError) -> String? {
    var line: [UInt8] = []
    while true {
      if unread.isEmpty, try !fill() { return nil }
      let byte = buffer[unread.lowerBound]
      unread = unread.dropFirst()
      if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
      line.append(byte)
      guard line.count <= limit else { throw MediaFileError(code: .notMedia, path: name) }
    }
  }

  /// Fills a place in `target`, or tells that the stream ended before.
  func read(into target: inout MutableSpan<UInt8>, _ place: Range<Int>) throws(MediaFileError) -> Bool {
    var left = place
    while !left.isEmpty {
      if unread.isEmpty, try !fill() { return false }
      let count = min(left.count, unread.count)
      for index in 0..<count { target[left.lowerBound + index] = buffer[unread.lowerBound + index] }
      unread = unread.dropFirst(count)
      left = left.dropFirst(count)
    }
    return true
  }

  private func fill() throws(MediaFileError) -> Bool {
    while true {
      let count = buffer.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else {
        throw MediaFileError(code: .cannotOpen, path: name, reason: String(cString: strerror(errno)))
      }
      unread = 0..<count
      return count > 0
    }
  }
}

/// Records decoded pictures as YUV4MPEG2, which every video program reads. Large: 10 MB a second at 640×360.
///
/// The format has one size and a steady frame rate. The first picture decides the size, to which later ones are scaled; pictures
/// are repeated or left out, so that each stands at its time. The file is playable at any moment up to the last half second. A
/// file that is there already is replaced.
public final class Y4MWriter: Sendable {
  private let file: Y4MFile
  private let frames: WriteBehind<VideoFrame>

  /// - Throws: `cannotCreate`.
  public init(path: String, framesPerSecond: Int = 30) throws(MediaFileError) {
    precondition((1...120).contains(framesPerSecond), "video has 1 to 120 pictures a second")
    let file = try Y4MFile(path: path, framesPerSecond: framesPerSecond)
    self.file = file
    frames = WriteBehind(path: path, limit: 64 << 20) { frames throws(MediaFileError) in try file.append(frames) }
  }

  deinit { finish() }

  /// Why the recording stopped before its end, if it did.
  public var failure: MediaFileError? { frames.failure }

  /// - Parameter frame: the first one's timestamp is the file's beginning.
  /// - Throws: why the recording failed, once; what was written before stays.
  public func write(_ frame: VideoFrame) throws(MediaFileError) {
    try frames.append(frame, weight: frame.size.pixelCount * 3 / 2)
  }

  /// Completes the file; returns when it is on its way to the disk. Pictures that come later are ignored.
  public func finish() {
    frames.finish { [file] () throws(MediaFileError) in try file.close() }
  }
}

/// The file itself. `@unchecked Sendable`: after `init`, only the writer's file thread uses it.
private final class Y4MFile: @unchecked Sendable {
  /// A longer gap is cut to this: a hostile timestamp must not fill the disk.
  private static let longestGap: Int64 = 10

  private let path: String
  private let framesPerSecond: Int64
  private var descriptor: Int32
  private var scaler: PictureScaler?
  private var origin = Duration.zero
  /// Pictures in the file.
  private var count: Int64 = 0
  private var last: [UInt8] = []

  init(path: String, framesPerSecond: Int) throws(MediaFileError) {
    self.path = path
    self.framesPerSecond = Int64(framesPerSecond)
    descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw MediaFileError(code: .cannotCreate, path: path, reason: String(cString: strerror(errno)))
    }
  }

  deinit {
    if descriptor >= 0 { Glibc.close(descriptor) }
  }

  func append(_ frames: [VideoFrame]) throws(MediaFileError) {
    for frame in frames { try append(frame) }
  }

  func close() throws(MediaFileError) {
    let status = Glibc.close(descriptor)
    descriptor = -1
    if status != 0 { throw failure() }
  }

  private func append(_ frame: VideoFrame) throws(MediaFileError) {
    if scaler == nil {
      scaler = PictureScaler(size: frame.size)
      origin = frame.timestamp
      try write(Array("YUV4MPEG2 W\(frame.width) H\(frame.height) F\(framesPerSecond):1 Ip A1:1 C420jpeg\n".utf8))
    }
    guard let picture = try scaler?.scale(frame, path: path) else { return }
    // Its place may be taken: by a picture that came just before, or because it came late.
    let wanted = ((frame.timestamp - origin) / .seconds(1) * Double(framesPerSecond)).rounded()
    guard wanted >= Double(count) else { return }
    let longest = count + Self.longestGap * framesPerSecond
    let place = Int64(min(wanted, Double(longest)))
    if wanted > Double(longest) { origin = frame.timestamp - .seconds(1) * longest / framesPerSecond }
    while count < place {
      try write(last)
      count += 1
    }
    last = Self.bytes(of: picture)
    try write(last)
    count += 1
  }

  private static func bytes(of frame: VideoFrame) -> [UInt8] {
    var bytes = Array("FRAME\n".utf8)
    bytes.reserveCapacity(bytes.count + frame.size.pixelCount * 3 / 2 + frame.width + frame.height + 1)
    for plane in VideoFrame.Plane.allCases {
      let size = frame.size(of: plane)
      frame.withPixels(of: plane) { pixels, stride in
        pixels.withUnsafeBufferPointer { pixels in
          for row in 0..<size.height { bytes += pixels[row * stride..<row * stride + size.width] }
        }
      }
    }
    return bytes
  }

  private func write(_ bytes: [UInt8]) throws(MediaFileError) {
    try bytes.span.bytes.withUnsafeBytes { bytes throws(MediaFileError) in
      var done = 0
      while done < bytes.count {
        let count = Glibc.write(descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { throw failure() }
        done += count
      }
    }
  }

  private func failure() -> MediaFileError {
    MediaFileError(code: .cannotWrite, path: path, reason: String(cString: strerror(errno)))
  }
}
