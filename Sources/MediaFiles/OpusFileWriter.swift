import CFFmpeg

/// Records Opus packets as they came, untouched, in an Ogg or WebM file.
///
/// The file is playable at any moment up to the last half second, even when the process is killed. Gaps (losses, discontinuous
/// transmission) are filled with empty packets that ask the player to conceal them, so that the recording keeps time. A
/// file that is there already is replaced.
public final class OpusFileWriter: Sendable {
  public enum Container: String, Sendable, CaseIterable {
    /// - Specification: RFC 7845
    case ogg
    /// Matroska's profile for the web.
    case webM = "webm"
  }

  private let file: OpusFile
  private let packets: WriteBehind<OpusFile.Packet>

  /// - Throws: `cannotCreate`.
  public init(path: String, container: Container) throws(MediaFileError) {
    let file = try OpusFile(path: path, container: container)
    self.file = file
    packets = WriteBehind(path: path) { packets throws(MediaFileError) in try file.append(packets) }
  }

  deinit { finish() }

  /// Why the recording stopped before its end, if it did.
  public var failure: MediaFileError? { packets.failure }

  /// - Parameters:
  ///   - packet: one Opus packet (RFC 6716); copied. What is none is left out, as if it had been lost.
  ///   - position: its place in samples at 48 kHz; the first packet's is the beginning of the file. Packets that lie before
  ///     what is written already are left out.
  /// - Throws: why the recording failed, once; what was written before stays.
  public func write(opus packet: Span<UInt8>, at position: Int64) throws(MediaFileError) {
    let bytes = packet.withUnsafeBufferPointer { Array($0) }
    // The peer's mistake: a player would stumble over it and conceals a gap.
    guard let duration = OpusFraming.sampleCount(of: bytes) else { return }
    try packets.append(.init(bytes: bytes, position: position, duration: duration), frameCount: duration)
  }

  /// Completes the file; returns when it is on its way to the disk. Packets that come later are ignored.
  public func finish() {
    packets.finish { [file] () throws(MediaFileError) in try file.close() }
  }
}

/// The file itself, through libavformat's muxers. `@unchecked Sendable`: after `init`, only the writer's file thread uses it.
private final class OpusFile: @unchecked Sendable {
  struct Packet: Sendable {
    var bytes: [UInt8]
    var position: Int64
    var duration: Int
  }

  /// A gap is filled up to an hour: a hostile timestamp must not fill the disk.
  private static let longestGap: Int64 = 48_000 * 3_600
  /// What libopus's encoder puts before the audio (6.5 ms), for the player to skip.
  private static let preSkip: Int32 = 312

  private let path: String
  private var context: UnsafeMutablePointer<AVFormatContext>?
  private var stream: UnsafeMutablePointer<AVStream>?
  private var packet = av_packet_alloc()
  private var isStereo = false
  private var hasHeader = false
  /// The caller's position at the beginning of the file.
  private var origin: Int64 = 0
  /// Samples in the file.
  private var written: Int64 = 0

  init(path: String, container: OpusFileWriter.Container) throws(MediaFileError) {
    _ = FFmpegStatus.silenceLog
    self.path = path
    var status = avformat_alloc_output_context2(&context, nil, container.rawValue, nil)
    if status >= 0, let context {
      status = avio_open(&context.pointee.pb, "file:" + path, AVIO_FLAG_WRITE)
      stream = avformat_new_stream(context, nil)
    }
    guard status >= 0, stream != nil else {
      throw MediaFileError(code: .cannotCreate, path: path, reason: FFmpegStatus.text(status))
    }
  }

  deinit {
    if let context { avio_closep(&context.pointee.pb) }
    avformat_free_context(context)
    av_packet_free(&packet)
  }

  func append(_ packets: [Packet]) throws(MediaFileError) {
    for packet in packets {
      if !hasHeader, let toc = packet.bytes.first {
        isStereo = OpusFraming.isStereo(toc)
        origin = packet.position
        try writeHeader()
      }
      try append(packet)
    }
    try flush()
  }

  func close() throws(MediaFileError) {
    guard let context else { return }
    if !hasHeader {
      // Players refuse a file without any packet: 20 ms of silence stand for nothing.
      try writeHeader()
      for filler in OpusFraming.concealment(sampleCount: 960, isStereo: false) where filler.count > 0 {
        try mux(filler.packet, duration: filler.duration)
      }
    }
    try check(av_write_trailer(context))
    try check(avio_closep(&context.pointee.pb))
  }

  private func append(_ packet: Packet) throws(MediaFileError) {
    let (position, overflow) = packet.position.subtractingReportingOverflow(origin)
    let gap = position.subtractingReportingOverflow(written)
    // A packet that overlaps what is written follows it; one that lies wholly before it came too late.
    guard !overflow, !gap.overflow, gap.partialValue > -Int64(packet.duration) else { return }
    if gap.partialValue > Self.longestGap { origin += gap.partialValue - Self.longestGap }
    let missing = Int(max(0, min(gap.partialValue, Self.longestGap)))
    for filler in OpusFraming.concealment(sampleCount: missing, isStereo: isStereo) {
      for _ in 0..<filler.count { try mux(filler.packet, duration: filler.duration) }
    }
    try mux(packet.bytes, duration: packet.duration)
  }

  private func mux(_ bytes: [UInt8], duration: Int) throws(MediaFileError) {
    guard let context, let stream, let packet else { return }
    try check(av_new_packet(packet, Int32(clamping: bytes.count)))
    defer { av_packet_unref(packet) }
    bytes.withUnsafeBufferPointer { bytes in
      guard let source = bytes.baseAddress else { return }
      packet.pointee.data.update(from: source, count: min(bytes.count, Int(packet.pointee.size)))
    }
    packet.pointee.stream_index = stream.pointee.index
    // As from an encoder: the timestamps count from where the pre-skip ends.
    packet.pointee.pts = written - Int64(Self.preSkip)
    packet.pointee.dts = packet.pointee.pts
    packet.pointee.duration = Int64(duration)
    packet.pointee.flags = AV_PKT_FLAG_KEY
    av_packet_rescale_ts(packet, AVRational(num: 1, den: 48_000), stream.pointee.time_base)
    try check(av_write_frame(context, packet))
    written += Int64(duration)
  }

  private func writeHeader() throws(MediaFileError) {
    guard let context, let stream, let parameters = stream.pointee.codecpar else { return }
    let head = opusHead
    let padding = Int(AV_INPUT_BUFFER_PADDING_SIZE)
    guard let extra = av_mallocz(head.count + padding)?.assumingMemoryBound(to: UInt8.self) else { return }
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
    stream.pointee.time_base = AVRational(num: 1, den: 48_000)
    try check(avformat_write_header(context, nil))
    hasHeader = true
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
