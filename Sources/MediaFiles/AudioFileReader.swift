import CFFmpeg
import Synchronization

/// Plays a media file: any that FFmpeg's libraries read, of a video file the sound.
///
/// Decodes as it is read, with bounded memory, to 48 kHz interleaved Int16. Mono stays mono; everything else becomes stereo.
/// Local files only: playlists in a file cannot make it open the network.
///
/// `@unchecked Sendable`: `decoder` is used only while `lock` is held.
public final class AudioFileReader: @unchecked Sendable {
  /// 1 or 2.
  public let channelCount: Int
  private let decoder: AudioFileDecoder
  private let lock = Mutex(())

  /// Opens the file and decodes its first samples, so that what cannot be played is told here.
  public init(path: String) throws(MediaFileError) {
    decoder = try AudioFileDecoder(path: path)
    channelCount = decoder.channelCount
  }

  /// Fills `samples` with 48 kHz, interleaved Int16.
  ///
  /// Damaged places inside the file are left out.
  ///
  /// - Returns: how many sample frames were written; fewer than there was room for means that the file has ended.
  public func read(into samples: inout MutableSpan<Int16>) throws(MediaFileError) -> Int {
    try lock.withLock { _ throws(MediaFileError) in
      var filled = 0
      while filled < samples.count {
        if decoder.pending.isEmpty, try !decoder.decodeMore() { break }
        let count = min(samples.count - filled, decoder.pending.count)
        for (offset, sample) in decoder.pending.prefix(count).enumerated() { samples[filled + offset] = sample }
        decoder.pending.removeFirst(count)
        filled += count
      }
      return filled / channelCount
    }
  }
}

/// FFmpeg's demuxer, decoder and resampler in a row.
private final class AudioFileDecoder {
  let channelCount: Int
  /// Decoded and not yet read: at most what one packet of the file holds.
  var pending: ArraySlice<Int16> = []

  private let path: String
  private var format: UnsafeMutablePointer<AVFormatContext>?
  private var codec: UnsafeMutablePointer<AVCodecContext>?
  private var resampler: OpaquePointer?
  private var packet = av_packet_alloc()
  private var frame = av_frame_alloc()
  private let stream: Int32
  private var input = Input()
  private var phase = Phase.reading
  private var damage: Int32?
  private var hasDecoded = false

  private enum Phase { case reading, drainingDecoder, drainingResampler, ended }

  /// What the resampler was made for; a file may change it on the way.
  private struct Input: Equatable {
    var sampleRate: Int32 = 0
    var format: Int32 = -1
    var channelCount: Int32 = 0
  }

  init(path: String) throws(MediaFileError) {
    _ = FFmpegStatus.silenceLog
    self.path = path
    let (format, codec, stream) = try Self.open(path)
    self.format = format
    self.codec = codec
    self.stream = stream
    channelCount = codec.pointee.ch_layout.nb_channels == 1 ? 1 : 2
    while pending.isEmpty, try decodeMore() {}
  }

  deinit {
    swr_free(&resampler)
    av_frame_free(&frame)
    av_packet_free(&packet)
    avcodec_free_context(&codec)
    avformat_close_input(&format)
  }

  private static func open(_ path: String) throws(MediaFileError) -> (
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
      let stream = av_find_best_stream(opened, AVMEDIA_TYPE_AUDIO, -1, -1, &implementation, 0)
      guard stream >= 0, let parameters = opened.pointee.streams[Int(stream)]?.pointee.codecpar else {
        let code: MediaFileError.Code = stream == FFmpegStatus.streamNotFound ? .noAudio : .cannotDecode
        throw MediaFileError(
          code: code, path: path, reason: code == .noAudio ? "" : "its audio codec is not known")
      }
      for index in 0..<Int(opened.pointee.nb_streams) where index != Int(stream) {
        opened.pointee.streams[index]?.pointee.discard = AVDISCARD_ALL
      }
      codec = avcodec_alloc_context3(implementation)
      guard let codec else { throw MediaFileError(code: .cannotDecode, path: path, reason: "out of memory") }
      status = avcodec_parameters_to_context(codec, parameters)
      codec.pointee.pkt_timebase = opened.pointee.streams[Int(stream)]?.pointee.time_base ?? codec.pointee.pkt_timebase
      codec.pointee.thread_count = 1
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

  /// One step towards more `pending`.
  ///
  /// - Returns: false when the file has ended.
  func decodeMore() throws(MediaFileError) -> Bool {
    guard let format, let codec, let packet, let frame else { return false }
    switch phase {
    case .reading, .drainingDecoder:
      let status = avcodec_receive_frame(codec, frame)
      if status >= 0 {
        defer { av_frame_unref(frame) }
        return try convert(frame)
      }
      if status == FFmpegStatus.endOfFile || phase == .drainingDecoder {
        phase = .drainingResampler
      } else if status != FFmpegStatus.tryAgain {
        damage = status
      }
      if phase == .reading { feed(format, codec, packet) }
    case .drainingResampler:
      phase = .ended
      if resampler != nil { try convert(nil, count: 0) }
    case .ended:
      if let damage, !hasDecoded {
        throw MediaFileError(code: .cannotDecode, path: path, reason: FFmpegStatus.text(damage))
      }
      return false
    }
    return true
  }

  /// Hands the decoder the stream's next packet. Errors of single packets are passed over: the next one may be sound.
  private func feed(
    _ format: UnsafeMutablePointer<AVFormatContext>, _ codec: UnsafeMutablePointer<AVCodecContext>,
    _ packet: UnsafeMutablePointer<AVPacket>
  ) {
    let status = av_read_frame(format, packet)
    guard status >= 0 else {
      if status != FFmpegStatus.endOfFile { damage = status }
      phase = .drainingDecoder
      avcodec_send_packet(codec, nil)
      return
    }
    defer { av_packet_unref(packet) }
    guard packet.pointee.stream_index == stream else { return }
    let sent = avcodec_send_packet(codec, packet)
    if sent < 0 { damage = sent }
  }

  private func convert(_ frame: UnsafeMutablePointer<AVFrame>) throws(MediaFileError) -> Bool {
    let now = Input(
      sampleRate: frame.pointee.sample_rate, format: frame.pointee.format,
      channelCount: frame.pointee.ch_layout.nb_channels)
    if now != input || resampler == nil { try makeResampler(for: frame, now) }
    let data = UnsafeRawPointer(frame.pointee.extended_data)?.assumingMemoryBound(to: UnsafePointer<UInt8>?.self)
    try convert(data, count: frame.pointee.nb_samples)
    hasDecoded = true
    return true
  }

  private func makeResampler(for frame: UnsafeMutablePointer<AVFrame>, _ now: Input) throws(MediaFileError) {
    var source = AVChannelLayout()
    var target = AVChannelLayout()
    defer {
      av_channel_layout_uninit(&source)
      av_channel_layout_uninit(&target)
    }
    // Raw formats tell how many channels there are and not which.
    if frame.pointee.ch_layout.order == AV_CHANNEL_ORDER_UNSPEC {
      av_channel_layout_default(&source, now.channelCount)
    } else {
      av_channel_layout_copy(&source, &frame.pointee.ch_layout)
    }
    av_channel_layout_default(&target, Int32(channelCount))
    swr_free(&resampler)
    var status = swr_alloc_set_opts2(
      &resampler, &target, AV_SAMPLE_FMT_S16, 48_000, &source, AVSampleFormat(now.format), now.sampleRate, 0, nil)
    if status >= 0 { status = swr_init(resampler) }
    guard status >= 0 else {
      swr_free(&resampler)
      throw MediaFileError(code: .cannotDecode, path: path, reason: FFmpegStatus.text(status))
    }
    input = now
  }

  /// Appends to `pending` what the resampler makes of the input; nil takes out what it still holds.
  private func convert(_ data: UnsafePointer<UnsafePointer<UInt8>?>?, count: Int32) throws(MediaFileError) {
    let room = max(0, swr_get_out_samples(resampler, count))
    let mutable = UnsafeMutablePointer(mutating: data)
    var status: Int32 = 0
    let output = [Int16](unsafeUninitializedCapacity: Int(room) * channelCount) { buffer, initialized in
      buffer.withMemoryRebound(to: UInt8.self) { bytes in
        var start: UnsafeMutablePointer<UInt8>? = bytes.baseAddress
        status = swr_convert(resampler, &start, room, mutable, count)
      }
      initialized = Int(max(0, status)) * channelCount
    }
    guard status >= 0 else {
      throw MediaFileError(code: .cannotDecode, path: path, reason: FFmpegStatus.text(status))
    }
    pending.append(contentsOf: output)
  }
}
