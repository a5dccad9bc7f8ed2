/// The video codecs that calls use, by their names in RTP payload types.
public enum VideoCodec: String, Hashable, Sendable, CaseIterable {
  /// - Specification: RFC 6386
  case vp8 = "VP8"
  /// VP9, profile 0 (8-bit 4:2:0).
  case vp9 = "VP9"
}
