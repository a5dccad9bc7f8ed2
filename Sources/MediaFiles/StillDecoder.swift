import CFFmpeg
import CFFmpegShims
import Glibc

/// One picture of a file that nobody vouches for: an image, a film's, or the cover of sound.
///
/// Of the formats that FFmpeg knows only those are read that hold pictures: a playlist, say, would make whoever shows
/// its first picture show any other file of this machine. Nothing is decoded to learn what is there (`avformat_find_stream_info`),
/// where no bound on pictures holds.
final class StillDecoder {
  /// What to try, in this order.
  enum Attempt: CaseIterable {
    /// A key frame some way into a film: many begin with black.
    case later
    case beginning
    /// An image that is too large, decoded at an eighth of its size, as JPEG can be.
    case reduced

    /// The pixels of the largest picture that is decoded. Those of films have a byte and a half each, those of images up
    /// to eight.
    fileprivate var pixelLimit: Int64 {
      switch self {
      case .later: VideoFileReader.pixelLimit
      case .beginning: 4_096 * 4_096
      case .reduced: 64_000_000
      }
    }
  }

  private static let formats = [
    "apng", "asf", "avi", "bmp_pipe", "flac", "flv", "gif", "h264", "hevc", "ico", "ivf", "j2k_pipe", "jpeg_pipe",
    "jpegxl_pipe", "matroska", "webm", "mjpeg", "mov", "mp3", "mpeg", "mpegts", "mpegvideo", "ogg", "pam_pipe",
    "pbm_pipe", "pgm_pipe", "png_pipe", "ppm_pipe", "qoi_pipe", "tiff_pipe", "webp_pipe", "yuv4mpegpipe",
  ].joined(separator: ",")
  private static let maximumPackets = 4_096

  private let path: String
  private let input: BoundedInput
  private var format: UnsafeMutablePointer<AVFormatContext>?
  private var codec: UnsafeMutablePointer<AVCodecContext>?
  private var packet = av_packet_alloc()
  private var frame = av_frame_alloc()
  private var stream: Int32?

  init(_ input: BoundedInput, path: String) throws(MediaFileError) {
    _ = FFmpegStatus.silenceLog
    self.path = path
    self.input = input
    format = avformat_alloc_context()
    format?.pointee.pb = input.context
    var options: OpaquePointer?
    defer { av_dict_free(&options) }
    av_dict_set(&options, "format_whitelist", Self.formats, 0)
    // No protocol has this name: whatever else a file names stays closed.
    av_dict_set(&options, "protocol_whitelist", "none", 0)
    // The name would tell of formats that the bytes do not.
    let status = avformat_open_input(&format, "", nil, &options)
    guard status >= 0, let format else {
      throw MediaFileError(code: .notMedia, path: path, reason: FFmpegStatus.text(status))
    }
    // Which way up it is comes with the picture then.
    av_format_inject_global_side_data(format)
  }

  deinit {
    av_frame_free(&frame)
    av_packet_free(&packet)
    avcodec_free_context(&codec)
    avformat_close_input(&format)
  }

  /// Decodes the picture, once.
  ///
  /// - Returns: a picture, valid as long as this lives.
  func picture(_ attempt: Attempt) throws(MediaFileError) -> UnsafeMutablePointer<AVFrame> {
    guard let format, let packet, let frame else { throw failure("out of memory") }
    if attempt == .later { try seek(format) }
    for _ in 0..<Self.maximumPackets where !input.isOverdue {
      let isOver = av_read_frame(format, packet) < 0
      defer { av_packet_unref(packet) }
      let codec = try codec(attempt, isOver: isOver)
      guard let codec, isOver || packet.pointee.stream_index == stream else { continue }
      if attempt == .later, !isOver {
        guard packet.pointee.flags & AV_PKT_FLAG_KEY != 0 else { continue }
        // A decoder may keep it until it has seen what follows, unless nothing does.
        avcodec_send_packet(codec, packet)
        avcodec_send_packet(codec, nil)
      } else {
        // Errors of single packets are passed over: the next one may be sound.
        avcodec_send_packet(codec, isOver ? nil : packet)
      }
      if avcodec_receive_frame(codec, frame) >= 0 {
        let (width, height) = (frame.pointee.width, frame.pointee.height)
        guard width > 0, height > 0, Int64(width) * Int64(height) <= attempt.pixelLimit else {
          throw failure("its pictures of \(width)×\(height) are too large")
        }
        return frame
      }
      if isOver || attempt == .later { break }
    }
    throw failure(input.isOverdue ? "it takes too long" : "no picture of it can be decoded")
  }

  /// Goes a tenth of the way into a film.
  private func seek(_ format: UnsafeMutablePointer<AVFormatContext>) throws(MediaFileError) {
    let duration = format.pointee.duration
    let start = format.pointee.start_time == FFmpegStatus.noTime ? 0 : format.pointee.start_time
    let (target, overflow) = start.addingReportingOverflow(max(0, duration) / 10)
    guard duration >= Int64(AV_TIME_BASE), !overflow, av_seek_frame(format, -1, target, AVSEEK_FLAG_BACKWARD) >= 0
    else { throw failure("it has no times") }
  }

  /// The decoder of the stream that the picture is of, once there is one.
  ///
  /// - Parameter isOver: no stream will come that is not there.
  private func codec(_ attempt: Attempt, isOver: Bool) throws(MediaFileError) -> UnsafeMutablePointer<AVCodecContext>? {
    if let codec { return codec }
    guard let format else { return nil }
    guard let found = Self.stream(of: format), let parameters = found.pointee.codecpar else {
      if isOver || format.pointee.ctx_flags & AVFMTCTX_NOHEADER == 0 {
        throw MediaFileError(code: .noVideo, path: path)
      }
      return nil
    }
    for index in 0..<Int(format.pointee.nb_streams) where index != Int(found.pointee.index) {
      format.pointee.streams[index]?.pointee.discard = AVDISCARD_ALL
    }
    let implementation = avcodec_find_decoder(parameters.pointee.codec_id)
    let reduction = Int32(implementation?.pointee.max_lowres ?? 0)
    guard let implementation, attempt != .reduced || reduction > 0 else { throw failure("its codec is not known") }
    codec = avcodec_alloc_context3(implementation)
    guard let codec, avcodec_parameters_to_context(codec, parameters) >= 0 else { throw failure("out of memory") }
    codec.pointee.pkt_timebase = found.pointee.time_base
    codec.pointee.thread_count = 1
    codec.pointee.max_pixels = attempt.pixelLimit
    if attempt == .reduced { codec.pointee.lowres = min(reduction, 3) }
    let status = avcodec_open2(codec, implementation, nil)
    guard status >= 0 else { throw failure(FFmpegStatus.text(status)) }
    stream = found.pointee.index
    return codec
  }

  /// Moving pictures come before a cover, and among them the one that players show.
  private static func stream(of format: UnsafeMutablePointer<AVFormatContext>) -> UnsafeMutablePointer<AVStream>? {
    let streams = (0..<Int(format.pointee.nb_streams)).compactMap { format.pointee.streams[$0] }.filter {
      let parameters = $0.pointee.codecpar?.pointee
      return parameters?.codec_type == AVMEDIA_TYPE_VIDEO && parameters?.codec_id != AV_CODEC_ID_NONE
    }
    let moving = streams.filter { $0.pointee.disposition & AV_DISPOSITION_ATTACHED_PIC == 0 }
    return moving.first { $0.pointee.disposition & AV_DISPOSITION_DEFAULT != 0 } ?? moving.first ?? streams.first
  }

  private func failure(_ reason: String) -> MediaFileError {
    MediaFileError(code: .cannotDecode, path: path, reason: reason)
  }
}
