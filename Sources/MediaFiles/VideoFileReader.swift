import CFFmpeg
public import MediaCodecs
import Synchronization

/// The pictures of a media file: any that FFmpeg's libraries read.
///
/// Decodes as it is read: at most the few pictures that the file's codec needs are in memory. Local files only.
///
/// `@unchecked Sendable`: `stream`, `scaler` and `lastTime` are used only while `lock` is held.
public final class VideoFileReader: @unchecked Sendable {
  /// The pixels of the largest picture that is read: 8K.
  static let pixelLimit: Int64 = 7_680 * 4_320

  /// Every picture's size.
  public let size: VideoSize
  /// Pictures a second, 1 to 120: the mean that the file tells, or 30.
  public let framesPerSecond: Int
  private let stream: MediaFileStream
  private let scaler: PictureScaler
  private var lastTime = Duration.zero
  private let lock = Mutex(())

  /// Opens the file.
  ///
  /// - Parameter size: what the pictures are scaled to (and, in other proportions, stretched); nil leaves them as large as
  ///   the file says at its beginning.
  public init(path: String, size: VideoSize? = nil) throws(MediaFileError) {
    precondition(size?.isValid != false, "a picture's sides are 1 to 16383")
    stream = try MediaFileStream(path: path, kind: AVMEDIA_TYPE_VIDEO)
    let own = VideoSize(width: Int(stream.codec?.pointee.width ?? 0), height: Int(stream.codec?.pointee.height ?? 0))
    guard own.isValid, own.pixelCount <= Self.pixelLimit else {
      throw MediaFileError(
        code: .cannotDecode, path: path, reason: "its pictures of \(own.width)×\(own.height) are too large")
    }
    self.size = size ?? own
    framesPerSecond = stream.frameRate.map { Int(min(max($0.rounded(), 1), 120)) } ?? 30
    scaler = PictureScaler(size: self.size)
  }

  /// The next picture; its timestamp counts from the file's beginning and never goes back.
  ///
  /// - Returns: nil when the file has ended.
  public func nextFrame() throws(MediaFileError) -> VideoFrame? {
    try lock.withLock { _ throws(MediaFileError) in
      guard let picture = try stream.next() else { return nil }
      let time = picture.pointee.best_effort_timestamp
      if time != FFmpegStatus.noTime {
        let (ticks, overflow) = time.subtractingReportingOverflow(stream.startTime)
        let nanoseconds = av_rescale_q(overflow ? 0 : ticks, stream.timeBase, AVRational(num: 1, den: 1_000_000_000))
        lastTime = max(lastTime, .nanoseconds(nanoseconds))
      }
      return try scaler.scale(picture, timestamp: lastTime, path: stream.path)
    }
  }
}
