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

  private let file: PacketFile
  private let packets: WriteBehind<PacketFile.Packet>

  /// - Throws: `cannotCreate`.
  public init(path: String, container: Container) throws(MediaFileError) {
    let file = try PacketFile(path: path, format: container.rawValue, hasAudio: true, video: nil)
    self.file = file
    packets = WriteBehind(path: path) { packets throws(MediaFileError) in try file.append(packets) }
  }

  deinit { finish() }

  /// Why the recording stopped before its end, if it did.
  public var failure: MediaFileError? { packets.failure }

  /// - Parameters:
  ///   - packet: one Opus packet (RFC 6716); copied. What is none is left out, as if it had been lost.
  ///   - time: when it was captured; the first packet's is the beginning of the file. Packets that lie before what is
  ///     written already are left out.
  /// - Throws: why the recording failed, once; what was written before stays.
  public func write(opus packet: Span<UInt8>, at time: Duration) throws(MediaFileError) {
    let bytes = packet.withUnsafeBufferPointer { Array($0) }
    // The peer's mistake: a player would stumble over it and conceals a gap.
    guard let duration = OpusFraming.sampleCount(of: bytes) else { return }
    try packets.append(.init(opus: bytes, time: time, duration: duration), weight: duration)
  }

  /// Completes the file; returns when it is on its way to the disk. Packets that come later are ignored.
  public func finish() {
    packets.finish { [file] () throws(MediaFileError) in try file.close() }
  }
}
