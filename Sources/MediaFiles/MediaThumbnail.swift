import CFFmpeg
import CFFmpegShims
import Glibc
package import MediaCodecs
import MediaTime

/// A small picture of an image, a film, or the cover of sound.
package struct MediaThumbnail: Sendable, Hashable {
  package static let mediaType = "image/jpeg"
  /// What peers are advised to reckon with.
  ///
  /// - Specification: XEP-0264 §5
  package static let longestSide = 128
  /// What may be given by XEP-0231 without second thoughts; one of noise has more.
  package static let advisedLength = 8 << 10
  /// How many bytes of a file are read at most.
  private static let maximumLength = 64 << 20

  /// A JPEG image, with nothing in it but the picture.
  package let bytes: [UInt8]
  package let size: VideoSize

  /// Makes one of a file whose contents may be anything.
  ///
  /// The proportions stay, what is smaller is not made larger, what is transparent becomes white, and what a camera noted as
  /// lying on its side stands upright.
  ///
  /// - Parameter limit: how long it may take; a decoder that is at work is waited for.
  /// - Throws: `MediaFileError`: `notMedia`, `noVideo`, or `cannotDecode` where it is damaged, too large or takes too long.
  package init(of path: String, within limit: Duration = .seconds(3)) throws(MediaFileError) {
    let picture = try Self.picture(of: path, by: SystemClock.now + limit)
    size = picture.size
    bytes = try picture.jpeg(upTo: Self.advisedLength, path: path)
  }

  private static func picture(of path: String, by deadline: Instant) throws(MediaFileError) -> RGBPicture {
    var failure: MediaFileError?
    for attempt in StillDecoder.Attempt.allCases {
      do throws(MediaFileError) {
        let input = try BoundedInput(path: path, maximumLength: maximumLength, deadline: deadline)
        let decoder = try StillDecoder(input, path: path)
        defer { withExtendedLifetime(decoder) {} }
        return try RGBPicture(try decoder.picture(attempt), longestSide: longestSide, path: path)
      } catch {
        guard error.code == .cannotDecode else { throw error }
        failure = error
      }
    }
    throw failure ?? MediaFileError(code: .cannotDecode, path: path)
  }
}

/// A picture of few pixels, three bytes each, row after row.
struct RGBPicture {
  private(set) var size: VideoSize
  private(set) var pixels: [UInt8]

  init(size: VideoSize, pixels: [UInt8]) {
    precondition(pixels.count == size.pixelCount * 3, "three bytes are a pixel")
    (self.size, self.pixels) = (size, pixels)
  }

  /// A decoded picture, made as small as it is to be, on white, the right side up.
  init(_ frame: UnsafeMutablePointer<AVFrame>, longestSide: Int, path: String) throws(MediaFileError) {
    size = Self.fitted(
      Int(frame.pointee.width), Int(frame.pointee.height), pixelAspect: frame.pointee.sample_aspect_ratio, longestSide)
    pixels = []
    let scaled = try Frame(size, AV_PIX_FMT_RGBA, path: path)
    try scaled.draw(frame, path: path)
    pixels = scaled.onWhite()
    if let side = av_frame_get_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX), let data = side.pointee.data,
      side.pointee.size >= 9 * 4
    {
      turn(UnsafeRawBufferPointer(start: data, count: 9 * 4).bindMemory(to: Int32.self).map { $0 })
    }
  }

  /// As large as a picture is to be shown: square pixels, and no side longer than the longest.
  static func fitted(_ width: Int, _ height: Int, pixelAspect: AVRational, _ longestSide: Int) -> VideoSize {
    var aspect = pixelAspect.num > 0 && pixelAspect.den > 0 ? Double(pixelAspect.num) / Double(pixelAspect.den) : 1
    // No pixels are like that.
    if !(1.0 / 8...8).contains(aspect) { aspect = 1 }
    let (width, height) = (Double(width) * aspect, Double(height))
    let scale = min(1, Double(longestSide) / max(width, height))
    func side(_ length: Double) -> Int { min(max(Int((length * scale).rounded()), 1), longestSide) }
    return VideoSize(width: side(width), height: side(height))
  }

  /// Turns and mirrors it by whole quarters, as the matrix says; others are left out.
  ///
  /// - Parameter matrix: `x' = m0 x + m3 y`, `y' = m1 x + m4 y`.
  private mutating func turn(_ matrix: [Int32]) {
    let isTurned = max(matrix[1].magnitude, matrix[3].magnitude) > max(matrix[0].magnitude, matrix[4].magnitude)
    let (mirrorsX, mirrorsY) = isTurned ? (matrix[1] < 0, matrix[3] < 0) : (matrix[0] < 0, matrix[4] < 0)
    guard isTurned || mirrorsX || mirrorsY else { return }
    let source = self
    if isTurned { size = VideoSize(width: size.height, height: size.width) }
    for y in 0..<size.height {
      for x in 0..<size.width {
        var (fromX, fromY) = isTurned ? (y, x) : (x, y)
        if mirrorsX { fromX = source.size.width - 1 - fromX }
        if mirrorsY { fromY = source.size.height - 1 - fromY }
        let (from, to) = ((fromY * source.size.width + fromX) * 3, (y * size.width + x) * 3)
        for byte in 0..<3 { pixels[to + byte] = source.pixels[from + byte] }
      }
    }
  }

  /// Encodes it: as well as the length allows, and when nothing fits, as small as it gets.
  func jpeg(upTo length: Int, path: String) throws(MediaFileError) -> [UInt8] {
    let rgb = try Frame(size, AV_PIX_FMT_RGB24, path: path)
    rgb.fill(with: pixels)
    let picture = try Frame(size, AV_PIX_FMT_YUVJ420P, path: path)
    try picture.draw(rgb.frame, path: path)
    var bytes: [UInt8] = []
    for quality: Int32 in [3, 6, 12, 24] {
      bytes = try picture.jpeg(quality: quality, path: path)
      if bytes.count <= length { break }
    }
    return bytes
  }
}

/// Pixels as FFmpeg's functions take them.
private final class Frame {
  let frame: UnsafeMutablePointer<AVFrame>
  private let size: VideoSize

  init(_ size: VideoSize, _ format: AVPixelFormat, path: String) throws(MediaFileError) {
    guard let frame = av_frame_alloc() else {
      throw MediaFileError(code: .cannotDecode, path: path, reason: "out of memory")
    }
    (self.frame, self.size) = (frame, size)
    frame.pointee.width = Int32(size.width)
    frame.pointee.height = Int32(size.height)
    frame.pointee.format = format.rawValue
    let status = av_frame_get_buffer(frame, 0)
    guard status >= 0 else {
      throw MediaFileError(code: .cannotDecode, path: path, reason: FFmpegStatus.text(status))
    }
  }

  deinit {
    var freed: UnsafeMutablePointer<AVFrame>? = frame
    av_frame_free(&freed)
  }

  /// Scales and converts another into this one.
  func draw(_ source: UnsafeMutablePointer<AVFrame>, path: String) throws(MediaFileError) {
    let context = sws_getContext(
      source.pointee.width, source.pointee.height, AVPixelFormat(source.pointee.format), frame.pointee.width,
      frame.pointee.height, AVPixelFormat(frame.pointee.format), SWS_AREA, nil, nil, nil)
    defer { sws_freeContext(context) }
    guard let context, sws_scale_frame(context, frame, source) >= 0 else {
      throw MediaFileError(code: .cannotDecode, path: path, reason: "a picture cannot be scaled")
    }
  }

  private func row(_ y: Int) -> UnsafeMutablePointer<UInt8>? {
    frame.pointee.data.0.map { $0 + y * Int(frame.pointee.linesize.0) }
  }

  /// RGBA without its A.
  func onWhite() -> [UInt8] {
    var pixels: [UInt8] = []
    for y in 0..<size.height {
      guard let row = row(y) else { continue }
      for x in 0..<size.width {
        let alpha = Int(row[4 * x + 3])
        for byte in 0..<3 { pixels.append(UInt8((Int(row[4 * x + byte]) * alpha + 255 * (255 - alpha)) / 255)) }
      }
    }
    return pixels
  }

  /// - Parameter pixels: three bytes each, as many as there is room for.
  func fill(with pixels: [UInt8]) {
    for y in 0..<size.height {
      row(y)?.update(from: Array(pixels[y * size.width * 3..<(y + 1) * size.width * 3]), count: size.width * 3)
    }
  }

  /// - Parameter quality: 1, the best, to 31.
  func jpeg(quality: Int32, path: String) throws(MediaFileError) -> [UInt8] {
    func failure(_ status: Int32) -> MediaFileError {
      MediaFileError(code: .cannotDecode, path: path, reason: FFmpegStatus.text(status))
    }
    let encoder = avcodec_find_encoder(AV_CODEC_ID_MJPEG)
    var context = encoder.flatMap { avcodec_alloc_context3($0) }
    var packet = av_packet_alloc()
    defer {
      avcodec_free_context(&context)
      av_packet_free(&packet)
    }
    guard let context, let packet else { throw failure(carillon_averror(ENOMEM)) }
    context.pointee.width = frame.pointee.width
    context.pointee.height = frame.pointee.height
    context.pointee.pix_fmt = AV_PIX_FMT_YUVJ420P
    context.pointee.time_base = AVRational(num: 1, den: 25)
    context.pointee.thread_count = 1
    // Without the encoder's name in it.
    context.pointee.flags |= AV_CODEC_FLAG_QSCALE | Int32(bitPattern: UInt32(AV_CODEC_FLAG_BITEXACT))
    context.pointee.global_quality = quality * FF_QP2LAMBDA
    frame.pointee.quality = context.pointee.global_quality
    var status = avcodec_open2(context, encoder, nil)
    if status >= 0 { status = avcodec_send_frame(context, frame) }
    if status >= 0 { status = avcodec_send_frame(context, nil) }
    if status >= 0 { status = avcodec_receive_packet(context, packet) }
    guard status >= 0, let data = packet.pointee.data else { throw failure(status) }
    return Array(UnsafeBufferPointer(start: data, count: Int(packet.pointee.size)))
  }
}
