import Testing

@testable import MediaEngine

@Suite struct DataChannelMessageTests {
  /// What Chromium sends for `createDataChannel("test", {protocol: "xmpp-jingle"})`.
  static let open: [UInt8] =
    [0x03, 0x00, 0x01, 0x00, 0, 0, 0, 0, 0, 4, 0, 11] + Array("testxmpp-jingle".utf8)

  @Test func `A channel's opening is read and written`() throws {
    let message = try #require(DataChannelMessage(Self.open))
    #expect(message == .open(.init(priority: 256, label: "test", subprotocol: "xmpp-jingle")))
    #expect(message.bytes == Self.open)
    #expect(DataChannelMessage([0x02]) == .acknowledge && DataChannelMessage.acknowledge.bytes == [0x02])
  }

  @Test func `Nothing shorter or longer is an opening`() {
    for count in 0..<Self.open.count { #expect(DataChannelMessage(Self.open.prefix(count)) == nil) }
    #expect(DataChannelMessage(Self.open + [0]) == nil)
    #expect(DataChannelMessage([0x03] + [UInt8](repeating: 0xFF, count: 40)) == nil)
  }

  @Test(arguments: [0x80, 0x01, 0x81, 0x02, 0x82, 0xFF] as [UInt8])
  func `A channel that loses or mixes up is no stream`(kind: UInt8) throws {
    var bytes = Self.open
    bytes[1] = kind
    guard case .open(let open) = try #require(DataChannelMessage(bytes)) else {
      Issue.record("not an opening")
      return
    }
    #expect(!open.isStream)
  }
}
