/// The codecs of the telephone network, by their names in RTP payload types: mono, 64 kbit/s, one byte each 125 µs, so that a
/// packet may be cut or joined anywhere.
///
/// - Specification: RFC 3551 §4.5.2 (G722), §4.5.14 (PCMA and PCMU)
package enum TelephonyCodec: String, Hashable, Sendable, CaseIterable {
  /// G.711 in µ-law.
  case pcmu = "PCMU"
  /// G.711 in A-law.
  case pcma = "PCMA"
  case g722 = "G722"

  /// Samples of 48 kHz in the time of one byte.
  package static let samplesPerByte = 6

  /// Of the audio: the RTP clock of all three has 8000 Hz.
  var sampleRate: Int { self == .g722 ? 16_000 : 8_000 }
  var samplesPerByte: Int { sampleRate / 8_000 }
}
