import Testing

@testable import RTPCore

@Suite("Datagrams are told apart by their first bytes")
struct DatagramKindTests {
  @Test(
    arguments: [
      ([], DatagramKind.unknown), ([0], .stun), ([3], .stun), ([4], .unknown), ([16], .zrtp), ([20], .dtls),
      ([63], .dtls),
      ([64], .turnChannel), ([79], .turnChannel), ([80], .unknown), ([128], .unknown), ([128, 111], .rtp),
      ([191, 0x80 | 111], .rtp), ([192, 111], .unknown), ([128, 63], .rtp), ([128, 191], .rtp), ([128, 192], .rtcp),
      ([129, 200], .rtcp), ([129, 207], .rtcp), ([129, 223], .rtcp), ([129, 224], .rtp),
    ] as [([UInt8], DatagramKind)])
  func `The first byte, and for RTCP the second, tell the protocol`(bytes: [UInt8], kind: DatagramKind) {
    #expect(DatagramKind(bytes.span) == kind)
  }
}
