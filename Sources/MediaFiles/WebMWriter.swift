public import MediaCodecs

/// Records a call's Opus and VP8 or VP9 packets as they came, untouched, in one WebM file, in sync.
///
/// Both are given with their times on one clock. The file is playable at any moment up to the last half second, even when the
/// process is killed; it is made with the first key frame, or after a second without one. Gaps in the audio are filled as
/// `OpusFileWriter` fills them. A file that is there already is replaced.
public final class WebMWriter: Sendable {
  private let video: VideoCodec?
  private let file: PacketFile
  private let packets: WriteBehind<PacketFile.Packet>

  /// - Parameters:
  ///   - hasAudio: whether there is an Opus track.
  ///   - video: the video track's codec; nil for none. One track there must be.
  /// - Throws: `cannotCreate`.
  public init(path: String, hasAudio: Bool = true, video: VideoCodec?) throws(MediaFileError) {
    precondition(hasAudio || video != nil, "a recording has audio, video or both")
    let file = try PacketFile(path: path, format: "webm", hasAudio: hasAudio, video: video)
    self.video = video
    self.file = file
    packets = WriteBehind(path: path) { packets throws(MediaFileError) in try file.append(packets) }
  }

  deinit { finish() }

  /// Why the recording stopped before its end, if it did.
  public var failure: MediaFileError? { packets.failure }

  /// - Parameters:
  ///   - packet: one Opus packet (RFC 6716); copied. What is none is left out, as if it had been lost.
  ///   - time: when it was captured, on a clock that audio and video share; the first packet's is the file's beginning.
  ///     Packets that lie before what is written already are left out.
  /// - Throws: why the recording failed, once; what was written before stays.
  public func write(opus packet: Span<UInt8>, at time: Duration) throws(MediaFileError) {
    let bytes = packet.withUnsafeBufferPointer { Array($0) }
    guard let duration = OpusFraming.sampleCount(of: bytes) else { return }
    try packets.append(.init(opus: bytes, time: time, duration: duration), weight: duration)
  }

  /// - Parameters:
  ///   - frame: one encoded picture; copied. What is none is left out, and so are all before the first key frame.
  ///   - time: as for audio. Pictures that lie half a minute before what is written already are left out.
  /// - Throws: why the recording failed, once; what was written before stays.
  public func write(video frame: Span<UInt8>, at time: Duration) throws(MediaFileError) {
    guard let video, let header = VPXFrameHeader(video, frame) else { return }
    let bytes = frame.withUnsafeBufferPointer { Array($0) }
    // What a picture weighs is its bytes: about as much as the audio of its time.
    try packets.append(.init(video: bytes, time: time, header: header), weight: bytes.count)
  }

  /// Completes the file; returns when it is on its way to the disk. Packets that come later are ignored.
  public func finish() {
    packets.finish { [file] () throws(MediaFileError) in try file.close() }
  }
}
