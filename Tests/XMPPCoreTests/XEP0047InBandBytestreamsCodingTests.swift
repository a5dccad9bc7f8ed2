import Testing
import XMPPCore

@Suite struct XEP0047InBandBytestreamsCodingTests {
  /// The block of XEP-0047's examples 6 and 11, lines and all.
  static let block = """
    <data xmlns='http://jabber.org/protocol/ibb' seq='0' sid='i781hf64'>
      qANQR1DBwU4DX7jmYZnncmUQB/9KuKBddzQH+tZ1ZywKK0yHKnq57kWq+RFtQdCJ
      WpdWpR0uQsuJe7+vh3NWn59/gTc5MDlX8dS9p0ovStmNcyLhxVgmqS8ZKhsblVeu
      IpQ0JgavABqibJolc3BKrVtVV1igKiX/N7Pi8RtY1K18toaMDhdEfhBRzO/XB0+P
      AQhYlRjNacGcslkhXqNjK5Va4tuOAPy2n1Q8UUrHbUd0g+xJ9Bm0G0LZXyvCWyKH
      kuNEHFQiLuCY6Iv0myq6iX6tjuHehZlFSh80b5BVV9tNLwNR5Eqz1klxMhoghJOA
    </data>
    """

  private func block(_ text: String) -> InBandBytestream.Block {
    var block = InBandBytestream.Block(sid: "s", sequenceNumber: 1, bytes: [])
    block.text = text
    return block
  }

  @Test("The examples are read, and written back")
  func examples() throws {
    let open = try InBandBytestream.Open(
      stanza("<open xmlns='http://jabber.org/protocol/ibb' block-size='4096' sid='i781hf64' stanza='iq'/>"))
    #expect(open == InBandBytestream.Open(sid: "i781hf64", blockSize: 4096, carrier: .iq))
    #expect(
      open.element.serialized()
        == "<open xmlns='http://jabber.org/protocol/ibb' block-size='4096' sid='i781hf64' stanza='iq'/>")

    let close = try InBandBytestream.Close(stanza("<close xmlns='http://jabber.org/protocol/ibb' sid='i781hf64'/>"))
    #expect(close.sid == "i781hf64")
    #expect(try InBandBytestream.Close(close.element) == close)

    let block = try InBandBytestream.Block(stanza(Self.block))
    #expect(block.sid == "i781hf64")
    #expect(block.sequenceNumber == 0)
    let bytes = try block.bytes(upTo: 4096)
    #expect(bytes.count == 240)
    #expect(bytes.prefix(4) == [0xA8, 0x03, 0x50, 0x47])
    #expect(bytes.suffix(3) == [0x84, 0x93, 0x80])
    #expect(InBandBytestream.Block(sid: "i781hf64", sequenceNumber: 0, bytes: bytes).text.hasPrefix("qANQR1DBwU4D"))
  }

  @Test("Who says no kind of stanza means iq")
  func defaults() throws {
    let open = try InBandBytestream.Open(
      stanza("<open xmlns='http://jabber.org/protocol/ibb' block-size='65535' sid='i'/>"))
    #expect(open == InBandBytestream.Open(sid: "i", blockSize: 65535, carrier: .iq))
    let message = InBandBytestream.Open(sid: "i", blockSize: 1, carrier: .message)
    #expect(try InBandBytestream.Open(message.element) == message)
  }

  @Test(
    "What opens no stream is refused",
    arguments: [
      "block-size='4096'", "sid='' block-size='4096'", "sid='a'", "sid='a' block-size='0'",
      "sid='a' block-size='65536'",
      "sid='a' block-size='-1'", "sid='a' block-size='+1'", "sid='a' block-size='4k'", "sid='a' block-size=''",
      "sid='a' block-size='1' stanza='presence'", "sid='a' block-size='1' stanza=''",
      "sid='\(String(repeating: "a", count: 257))' block-size='1'",
    ])
  func badOpen(attributes: String) throws {
    let element = try stanza("<open xmlns='http://jabber.org/protocol/ibb' \(attributes)/>")
    #expect(throws: StanzaError.self) { try InBandBytestream.Open(element) }
  }

  @Test(
    "What is no block is refused",
    arguments: ["seq='1'", "sid='a'", "sid='a' seq='65536'", "sid='a' seq='-1'", "sid='a' seq=''"])
  func badBlock(attributes: String) throws {
    let element = try stanza("<data xmlns='http://jabber.org/protocol/ibb' \(attributes)/>")
    #expect(throws: StanzaError.self) { try InBandBytestream.Block(element) }
  }

  @Test(
    "Base64 is that of RFC 4648 §10",
    arguments: [
      ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
      ("foobar", "Zm9vYmFy"),
    ])
  func vectors(bytes: String, text: String) throws {
    #expect(InBandBytestream.Block(sid: "s", sequenceNumber: 0, bytes: bytes.utf8).text == text)
    #expect(try block(text).bytes(upTo: 6) == Array(bytes.utf8))
  }

  @Test("Bytes of all values and lengths are read back", arguments: 0...80)
  func roundTrip(length: Int) throws {
    let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 97 &+ length &* 31) }
    let written = InBandBytestream.Block(sid: "s", sequenceNumber: 65535, bytes: bytes)
    #expect(written.text.utf8.count == (length + 2) / 3 * 4)
    #expect(try InBandBytestream.Block(written.element) == written)
    #expect(try written.bytes(upTo: length) == bytes)
    // The same from a slice, whose indices start elsewhere, and from what has no storage of its own.
    #expect(InBandBytestream.Block(sid: "s", sequenceNumber: 0, bytes: ([7] + bytes)[1...]).text == written.text)
    #expect(
      InBandBytestream.Block(sid: "s", sequenceNumber: 0, bytes: bytes.reversed().reversed()).text == written.text)
  }

  @Test(
    "Whatever is not exactly base64 is a bad request",
    arguments: [
      "A", "AA", "AAA", "AAAAA", "=", "==", "===", "====", "=AAA", "A=AA", "AA=A", "A===", "BBBB=CCC", "AA==AAAA",
      "AAA=AAAA", "AA==AA==", "AB==", "AAB=", "AAAA====", "AA-_", "AA*A", "AA.A", "AAA\u{E9}", "\u{1F525}", "AAA\u{0}",
      "AA\u{A0}AA", "&lt;", "A A=A A",
    ])
  func badBase64(text: String) {
    let error = #expect(throws: StanzaError.self) { try block(text).bytes(upTo: 4096) }
    #expect(error?.condition == .badRequest)
    #expect(error?.type == .cancel)
  }

  @Test("Line breaks, as the examples have them, are let pass")
  func lines() throws {
    #expect(try block("\n  Zm9v\r\n\tYmFy\n").bytes(upTo: 6) == Array("foobar".utf8))
    #expect(try block(" \n").bytes(upTo: 6).isEmpty)
  }

  @Test("A block larger than was agreed is a bad request")
  func tooLarge() throws {
    let block = InBandBytestream.Block(sid: "s", sequenceNumber: 0, bytes: [UInt8](repeating: 1, count: 4097))
    #expect(try block.bytes(upTo: 4097).count == 4097)
    let error = #expect(throws: StanzaError.self) { try block.bytes(upTo: 4096) }
    #expect(error?.condition == .badRequest)
  }

  @Test("A stream that nobody knows is not found, and one that nobody wants not acceptable")
  func unknown() throws {
    func refusal(_ content: IQ.Content) -> StanzaError? {
      guard case .error(let error)? = InBandBytestream.refusal(of: IQ(id: "1", content))?.content else { return nil }
      return error
    }
    #expect(refusal(.set(try stanza(Self.block))) == StanzaError(.itemNotFound, type: .cancel))
    #expect(refusal(.set(InBandBytestream.Close(sid: "x").element)) == StanzaError(.itemNotFound, type: .cancel))
    #expect(refusal(.set(InBandBytestream.Open(sid: "x").element)) == StanzaError(.notAcceptable, type: .cancel))
    #expect(refusal(.get(Ping.request)) == nil)
    #expect(refusal(.result(InBandBytestream.Close(sid: "x").element)) == nil)
    #expect(InBandBytestream.sid(of: InBandBytestream.Close(sid: "x").element) == "x")
    #expect(InBandBytestream.sid(of: Ping.request) == nil)
  }

  @Test("Every mutation of open, block and close is read or refused")
  func mutations() throws {
    let open = "<open xmlns='http://jabber.org/protocol/ibb' block-size='4096' sid='i781hf64' stanza='iq'/>"
    let texts = [open, Self.block, "<close xmlns='http://jabber.org/protocol/ibb' sid='i781hf64'/>"]
    for element in try texts.flatMap({ try stanza($0).mutations }) {
      if let open = try? InBandBytestream.Open(element) { #expect(try InBandBytestream.Open(open.element) == open) }
      if let close = try? InBandBytestream.Close(element) {
        #expect(try InBandBytestream.Close(close.element) == close)
      }
      guard let block = try? InBandBytestream.Block(element), let bytes = try? block.bytes(upTo: 65535) else {
        continue
      }
      let copy = InBandBytestream.Block(sid: block.sid, sequenceNumber: block.sequenceNumber, bytes: bytes)
      #expect(try copy.bytes(upTo: 65535) == bytes)
    }
  }
}
