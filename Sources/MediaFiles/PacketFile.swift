import CFFmpeg
import Glibc
import MediaCodecs

/// A file of encoded packets through libavformat's muxers: one Opus track, one video track, or both.
///
/// `@unchecked Sendable`: after `init`, only the writer's file thread uses it.
final class PacketFile: @unchecked Sendable {
  /// One packet. Both tracks share one time, in samples at 48 kHz.
  struct Packet: Sendable {
    enum Kind: Sendable {
      case opus(duration: Int)
      case video(VPXFrameHeader)
    }
    var bytes: [UInt8]
    var position: Int64
    var kind: Kind

    init(opus bytes: [UInt8], time: Duration, duration: Int) {
      (self.bytes, position, kind) = (bytes, Self.position(time), .opus(duration: duration))
    }

    init(video bytes: [UInt8], time: Duration, header: VPXFrameHeader) {
      (self.bytes, position, kind) = (bytes, Self.position(time), .video(header))
    }

    var isAudio: Bool {
      if case .opus = kind { true } else { false }
    }

    /// To the nearest sample.
    private static func position(_ time: Duration) -> Int64 {
      let (seconds, attoseconds) = time.components
      let samples = (attoseconds / 1_000_000_000 * 48 + 500_000) / 1_000_000
      return min(max(seconds, -(1 << 32)), 1 << 32) * 48_000 + samples
    }
  }

  /// A gap is filled up to an hour: a hostile timestamp must not fill the disk.
  private static let longestGap: Int64 = 48_000 * 3_600
  /// What libopus's encoder puts before the audio (6.5 ms), for the player to skip.
  private static let preSkip: Int32 = 312
  /// How far a track may lie behind the other: Matroska's clusters count in 16 bits of milliseconds.
  private static let longestLag: Int64 = 48_000 * 30
  /// How much is held back for the first key frame, which tells the picture's size: packets, and samples of time.
  private static let heldLimit = (count: 250, span: Int64(48_000))
  /// What the header says when no picture came in that time; players follow the pictures.
  private static let presumedSize = VideoSize(width: 640, height: 360)

  private let path: String
  private let video: VideoCodec?
  private var context: UnsafeMutablePointer<AVFormatContext>?
  private var audioStream: UnsafeMutablePointer<AVStream>?
  private var videoStream: UnsafeMutablePointer<AVStream>?
  private var packet = av_packet_alloc()
  private var hasHeader = false
  /// What came before the header.
  private var held: [Packet] = []
  /// The caller's position at the beginning of the file.
  private var origin: Int64 = 0
  private var isStereo = false
  /// Samples in the audio track.
  private var written: Int64 = 0
  /// The last picture's time, in milliseconds from `origin`; nil until there is a key frame.
  private var lastPicture: Int64?

  /// - Parameter format: libavformat's name of the muxer.
  init(path: String, format: String, hasAudio: Bool, video: VideoCodec?) throws(MediaFileError) {
    _ = FFmpegStatus.silenceLog
    self.path = path
    self.video = video
    try Self.checkCreatable(path)
    let status = avformat_alloc_output_context2(&context, nil, format, nil)
    if let context {
      if hasAudio { audioStream = avformat_new_stream(context, nil) }
      if video != nil { videoStream = avformat_new_stream(context, nil) }
    }
    guard status >= 0, (audioStream != nil) == hasAudio, (videoStream != nil) == (video != nil) else {
      throw MediaFileError(code: .cannotCreate, path: path, reason: FFmpegStatus.text(status))
    }
  }

  /// The file itself is made with its first packets, so that it is never there without something to play.
  private static func checkCreatable(_ path: String) throws(MediaFileError) {
    let existed = access(path, F_OK) == 0
    let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw MediaFileError(code: .cannotCreate, path: path, reason: String(cString: strerror(errno)))
    }
    Glibc.close(descriptor)
    if !existed { unlink(path) }
  }

  deinit {
    if let context { avio_closep(&context.pointee.pb) }
    avformat_free_context(context)
    av_packet_free(&packet)
  }

  func append(_ packets: [Packet]) throws(MediaFileError) {
    held += packets
    guard hasHeader || isReady else { return }
    try writeHeld()
    try flush()
  }

  func close() throws(MediaFileError) {
    guard let context else { return }
    try writeHeld()
    if audioStream != nil, written == 0 {
      // Players refuse a file without any packet: 20 ms of silence stand for nothing.
      for filler in OpusFraming.concealment(sampleCount: 960, isStereo: isStereo) where filler.count > 0 {
        try muxAudio(filler.packet, duration: filler.duration)
      }
    }
    try check(av_write_trailer(context))
    try check(avio_closep(&context.pointee.pb))
  }

  // MARK: Order

  /// Whether the header can be written, or cannot wait any longer.
  private var isReady: Bool {
    guard video != nil else { return !held.isEmpty }
    let positions = held.map(\.position)
    guard let first = positions.min(), let last = positions.max() else { return false }
    return firstKeyFrame != nil || held.count >= Self.heldLimit.count
      || last.subtractingReportingOverflow(first).overflow || last - first >= Self.heldLimit.span
  }

  private var firstKeyFrame: VPXFrameHeader? {
    for packet in held {
      if case .video(let header) = packet.kind, header.isKeyFrame { return header }
    }
    return nil
  }

  /// Of two tracks, the packets of half a second are put in the order of their times. A single track stays as it came.
  private func writeHeld() throws(MediaFileError) {
    let packets = video == nil ? held : held.sorted { $0.position < $1.position }
    if !hasHeader { try writeHeader(packets) }
    held = []
    for packet in packets {
      switch packet.kind {
      case .opus(let duration): try append(packet, duration: duration)
      case .video(let header): try append(packet, header)
      }
    }
  }

  private func append(_ packet: Packet, duration: Int) throws(MediaFileError) {
    let (position, overflow) = packet.position.subtractingReportingOverflow(origin)
    let gap = position.subtractingReportingOverflow(written)
    // A packet that overlaps what is written follows it; one that lies wholly before it came too late.
    guard !overflow, !gap.overflow, gap.partialValue > -Int64(duration) else { return }
    if gap.partialValue > Self.longestGap { origin += gap.partialValue - Self.longestGap }
    let missing = Int(max(0, min(gap.partialValue, Self.longestGap)))
    for filler in OpusFraming.concealment(sampleCount: missing, isStereo: isStereo) {
      for _ in 0..<filler.count { try muxAudio(filler.packet, duration: filler.duration) }
    }
    try muxAudio(packet.bytes, duration: duration)
  }

  private func append(_ packet: Packet, _ header: VPXFrameHeader) throws(MediaFileError) {
    let (position, overflow) = packet.position.subtractingReportingOverflow(origin)
    let latest = max(written, (lastPicture ?? 0) * 48)
    // A player can begin at a key frame only; what lies far from everything else has a wrong time.
    guard header.isKeyFrame || lastPicture != nil, !overflow,
      position > latest - Self.longestLag, position < latest + Self.longestGap
    else { return }
    // Two pictures have two times.
    let time = max(position / 48, (lastPicture ?? -1) + 1)
    lastPicture = time
    try mux(
      packet.bytes, on: videoStream, time: time, duration: 0, isKeyFrame: header.isKeyFrame,
      timeBase: AVRational(num: 1, den: 1_000))
  }

  // MARK: libavformat

  private func muxAudio(_ bytes: [UInt8], duration: Int) throws(MediaFileError) {
    // As from an encoder: the timestamps count from where the pre-skip ends.
    try mux(
      bytes, on: audioStream, time: written - Int64(Self.preSkip), duration: Int64(duration), isKeyFrame: true,
      timeBase: AVRational(num: 1, den: 48_000))
    written += Int64(duration)
  }

  private func mux(
    _ bytes: [UInt8], on stream: UnsafeMutablePointer<AVStream>?, time: Int64, duration: Int64, isKeyFrame: Bool,
    timeBase: AVRational
  ) throws(MediaFileError) {
    guard let context, let stream, let packet else { return }
    try check(av_new_packet(packet, Int32(clamping: bytes.count)))
    defer { av_packet_unref(packet) }
    bytes.withUnsafeBufferPointer { bytes in
      guard let source = bytes.baseAddress else { return }
      packet.pointee.data.update(from: source, count: min(bytes.count, Int(packet.pointee.size)))
    }
    packet.pointee.stream_index = stream.pointee.index
    packet.pointee.pts = time
    packet.pointee.dts = time
    packet.pointee.duration = duration
    packet.pointee.flags = isKeyFrame ? AV_PKT_FLAG_KEY : 0
    av_packet_rescale_ts(packet, timeBase, stream.pointee.time_base)
    try check(av_write_frame(context, packet))
  }

  private func writeHeader(_ packets: [Packet]) throws(MediaFileError) {
    guard let context else { return }
    // What lies far from the first has a wrong time.
    let first = held.first?.position ?? 0
    let near = packets.first { ($0.position &- first).magnitude <= 2 * Self.heldLimit.span.magnitude }
    origin = near?.position ?? first
    isStereo = packets.first { $0.isAudio }?.bytes.first.map(OpusFraming.isStereo) ?? false
    if let parameters = audioStream?.pointee.codecpar { try describeAudio(parameters) }
    if let parameters = videoStream?.pointee.codecpar {
      let size = firstKeyFrame?.size ?? Self.presumedSize
      parameters.pointee.codec_type = AVMEDIA_TYPE_VIDEO
      parameters.pointee.codec_id = video == .vp8 ? AV_CODEC_ID_VP8 : AV_CODEC_ID_VP9
      parameters.pointee.width = Int32(size.width)
      parameters.pointee.height = Int32(size.height)
      videoStream?.pointee.time_base = AVRational(num: 1, den: 1_000)
    }
    try check(avio_open(&context.pointee.pb, "file:" + path, AVIO_FLAG_WRITE))
    try check(avformat_write_header(context, nil))
    hasHeader = true
  }

  private func describeAudio(_ parameters: UnsafeMutablePointer<AVCodecParameters>) throws(MediaFileError) {
    let head = opusHead
    let padding = Int(AV_INPUT_BUFFER_PADDING_SIZE)
    guard let extra = av_mallocz(head.count + padding)?.assumingMemoryBound(to: UInt8.self) else {
      throw MediaFileError(code: .cannotWrite, path: path, reason: "out of memory")
    }
    for (index, byte) in head.enumerated() { extra[index] = byte }
    parameters.pointee.extradata = extra
    parameters.pointee.extradata_size = Int32(head.count)
    parameters.pointee.codec_type = AVMEDIA_TYPE_AUDIO
    parameters.pointee.codec_id = AV_CODEC_ID_OPUS
    parameters.pointee.sample_rate = 48_000
    parameters.pointee.initial_padding = Self.preSkip
    // 80 ms, as RFC 7845 §4.6 asks of players that seek.
    parameters.pointee.seek_preroll = 3_840
    av_channel_layout_default(&parameters.pointee.ch_layout, isStereo ? 2 : 1)
    audioStream?.pointee.time_base = AVRational(num: 1, den: 48_000)
  }

  /// The identification header.
  ///
  /// - Specification: RFC 7845 §5.1
  private var opusHead: [UInt8] {
    let preSkip = UInt16(Self.preSkip)
    return Array("OpusHead".utf8) + [
      1, isStereo ? 2 : 1, UInt8(preSkip & 0xFF), UInt8(preSkip >> 8),
      0x80, 0xBB, 0, 0,  // 48 000 Hz, the input's rate
      0, 0, 0,  // no gain, mapping family 0
    ]
  }

  /// Ends the Ogg page or WebM cluster, and hands all of it to the system.
  private func flush() throws(MediaFileError) {
    guard let context else { return }
    try check(av_write_frame(context, nil))
    avio_flush(context.pointee.pb)
    try check(context.pointee.pb.pointee.error)
  }

  private func check(_ status: Int32) throws(MediaFileError) {
    guard status < 0 else { return }
    throw MediaFileError(code: .cannotWrite, path: path, reason: FFmpegStatus.text(status))
  }
}
