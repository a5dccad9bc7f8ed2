import CFFmpeg

/// One stream of a media file through FFmpeg's demuxer and decoder: frames one after the other, as they are asked for.
///
/// Local files only: playlists in a file cannot make it open the network.
final class MediaFileStream {
  let path: String
  /// The stream's own ticks, in seconds.
  let timeBase: AVRational
  /// Where the file's time begins, in those ticks.
  let startTime: Int64
  /// Frames a second, as the file says or its beginning suggests; nil where it does neither.
  let frameRate: Double?
  private var format: UnsafeMutablePointer<AVFormatContext>?
  private(set) var codec: UnsafeMutablePointer<AVCodecContext>?
  private var packet: UnsafeMutablePointer<AVPacket>?
  private var frame: UnsafeMutablePointer<AVFrame>?
  private let stream: Int32
  private var isDraining = false
  private var hasEnded = false
  private var damage: Int32?
  private var hasDecoded = false

  /// - Parameter kind: audio or video.
  init(path: String, kind: AVMediaType) throws(MediaFileError) {
    _ = FFmpegStatus.silenceLog
    self.path = path
    let (format, codec, stream) = try Self.open(path, kind)
    self.format = format
    self.codec = codec
    self.stream = stream
    packet = av_packet_alloc()
    frame = av_frame_alloc()
    timeBase = codec.pointee.pkt_timebase
    let start = format.pointee.start_time
    startTime =
      start == FFmpegStatus.noTime ? 0 : av_rescale_q(start, AVRational(num: 1, den: AV_TIME_BASE), timeBase)
    let rate = format.pointee.streams[Int(stream)]?.pointee.avg_frame_rate ?? AVRational(num: 0, den: 0)
    frameRate = rate.num > 0 && rate.den > 0 ? Double(rate.num) / Double(rate.den) : nil
  }

  deinit {
    av_frame_free(&frame)
    av_packet_free(&packet)
    avcodec_free_context(&codec)
    avformat_close_input(&format)
  }

  /// Decodes until there is a frame. Damaged places inside the file are left out.
  ///
  /// - Returns: the frame, valid until the next call; nil when the file has ended.
  /// - Throws: `cannotDecode` when the whole file held nothing but damage.
  func next() throws(MediaFileError) -> UnsafeMutablePointer<AVFrame>? {
    guard let format, let codec, let packet, let frame else { return nil }
    while !hasEnded {
      let status = avcodec_receive_frame(codec, frame)
      if status >= 0 {
        hasDecoded = true
        return frame
      }
      if status == FFmpegStatus.endOfFile || isDraining {
        hasEnded = true
      } else {
        if status != FFmpegStatus.tryAgain { damage = status }
        feed(format, codec, packet)
      }
    }
    if let damage, !hasDecoded {
      throw MediaFileError(code: .cannotDecode, path: path, reason: FFmpegStatus.text(damage))
    }
    return nil
  }

  private static func open(_ path: String, _ kind: AVMediaType) throws(MediaFileError) -> (
    UnsafeMutablePointer<AVFormatContext>, UnsafeMutablePointer<AVCodecContext>, Int32
  ) {
    var format: UnsafeMutablePointer<AVFormatContext>?
    var options: OpaquePointer?
    defer { av_dict_free(&options) }
    av_dict_set(&options, "protocol_whitelist", "file", 0)
    var status = avformat_open_input(&format, "file:" + path, nil, &options)
    guard status >= 0, let opened = format else { throw openingError(status, path) }

    var codec: UnsafeMutablePointer<AVCodecContext>?
    do throws(MediaFileError) {
      status = avformat_find_stream_info(opened, nil)
      guard status >= 0 else { throw openingError(status, path) }
      var implementation: UnsafePointer<AVCodec>?
      let stream = av_find_best_stream(opened, kind, -1, -1, &implementation, 0)
      guard stream >= 0, let parameters = opened.pointee.streams[Int(stream)]?.pointee.codecpar else {
        let isMissing = stream == FFmpegStatus.streamNotFound
        let missing: MediaFileError.Code = kind == AVMEDIA_TYPE_AUDIO ? .noAudio : .noVideo
        throw MediaFileError(
          code: isMissing ? missing : .cannotDecode, path: path, reason: isMissing ? "" : "its codec is not known")
      }
      for index in 0..<Int(opened.pointee.nb_streams) where index != Int(stream) {
        opened.pointee.streams[index]?.pointee.discard = AVDISCARD_ALL
      }
      codec = avcodec_alloc_context3(implementation)
      guard let codec else { throw MediaFileError(code: .cannotDecode, path: path, reason: "out of memory") }
      status = avcodec_parameters_to_context(codec, parameters)
      codec.pointee.pkt_timebase = opened.pointee.streams[Int(stream)]?.pointee.time_base ?? codec.pointee.pkt_timebase
      codec.pointee.thread_count = 1
      codec.pointee.max_pixels = VideoFileReader.pixelLimit
      if status >= 0 { status = avcodec_open2(codec, implementation, nil) }
      guard status >= 0 else {
        throw MediaFileError(code: .cannotDecode, path: path, reason: FFmpegStatus.text(status))
      }
      return (opened, codec, stream)
    } catch {
      avcodec_free_context(&codec)
      avformat_close_input(&format)
      throw error
    }
  }

  private static func openingError(_ status: Int32, _ path: String) -> MediaFileError {
    switch status {
    case FFmpegStatus.noSuchFile: MediaFileError(code: .noSuchFile, path: path)
    case FFmpegStatus.invalidData, FFmpegStatus.endOfFile: MediaFileError(code: .notMedia, path: path)
    default: MediaFileError(code: .cannotOpen, path: path, reason: FFmpegStatus.text(status))
    }
  }

  /// Hands the decoder the stream's next packet. Errors of single packets are passed over: the next one may be sound.
  private func feed(
    _ format: UnsafeMutablePointer<AVFormatContext>, _ codec: UnsafeMutablePointer<AVCodecContext>,
    _ packet: UnsafeMutablePointer<AVPacket>
  ) {
    let status = av_read_frame(format, packet)
    guard status >= 0 else {
      if status != FFmpegStatus.endOfFile { damage = status }
      isDraining = true
      avcodec_send_packet(codec, nil)
      return
    }
    defer { av_packet_unref(packet) }
    guard packet.pointee.stream_index == stream else { return }
    let sent = avcodec_send_packet(codec, packet)
    if sent < 0 { damage = sent }
  }
}
