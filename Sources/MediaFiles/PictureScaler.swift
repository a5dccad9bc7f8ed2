import CFFmpeg
import MediaCodecs

/// Brings pictures to one size and to I420. Belongs to one caller at a time.
final class PictureScaler {
  private let size: VideoSize
  private var context: OpaquePointer?

  init(size: VideoSize) { self.size = size }

  deinit { sws_freeContext(context) }

  /// A decoded picture of any size and format.
  func scale(
    _ picture: UnsafeMutablePointer<AVFrame>, timestamp: Duration, path: String
  ) throws(MediaFileError) -> VideoFrame {
    let planes = withUnsafeBytes(of: picture.pointee.data) { data in
      data.bindMemory(to: UnsafeMutablePointer<UInt8>?.self).map { UnsafePointer($0) }
    }
    let strides = withUnsafeBytes(of: picture.pointee.linesize) { Array($0.bindMemory(to: Int32.self)) }
    let source = VideoSize(width: Int(picture.pointee.width), height: Int(picture.pointee.height))
    return try scale(planes, strides, source, AVPixelFormat(picture.pointee.format), timestamp, path)
  }

  /// A picture of any size.
  func scale(_ frame: VideoFrame, path: String) throws(MediaFileError) -> VideoFrame {
    if frame.size == size { return frame }
    return try frame.withUnsafePlanes { planes, strides throws(MediaFileError) in
      try scale(planes.map { UnsafePointer($0) }, strides, frame.size, AV_PIX_FMT_YUV420P, frame.timestamp, path)
    }
  }

  private func scale(
    _ planes: [UnsafePointer<UInt8>?], _ strides: [Int32], _ source: VideoSize, _ format: AVPixelFormat,
    _ timestamp: Duration, _ path: String
  ) throws(MediaFileError) -> VideoFrame {
    guard source.isValid, source.pixelCount <= VideoFileReader.pixelLimit else {
      throw MediaFileError(code: .cannotDecode, path: path, reason: "a picture is too large")
    }
    context = sws_getCachedContext(
      context, Int32(source.width), Int32(source.height), format, Int32(size.width), Int32(size.height),
      AV_PIX_FMT_YUV420P, SWS_BILINEAR, nil, nil, nil)
    guard let context else {
      throw MediaFileError(code: .cannotDecode, path: path, reason: "its pixel format is not known")
    }
    return try VideoFrame(size: size, timestamp: timestamp) { targets, targetStrides throws(MediaFileError) in
      let rows = sws_scale(
        context, planes, strides, 0, Int32(source.height), targets.map { Optional($0) }, targetStrides)
      guard rows == Int32(size.height) else {
        throw MediaFileError(code: .cannotDecode, path: path, reason: "a picture cannot be scaled")
      }
    }
  }
}
