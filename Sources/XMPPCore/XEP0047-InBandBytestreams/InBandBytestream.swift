/// What opens, fills and closes a stream of bytes inside of stanzas.
///
/// - Specification: XEP-0047 §2
package enum InBandBytestream {
  package static let namespace = "http://jabber.org/protocol/ibb"

  /// The size of blocks to offer.
  ///
  /// The largest that is safe through Prosody 0.12: a block of 5760 bytes makes a stanza of less than 8 KiB with its
  /// addresses, which one read takes and one write passes on. A stanza costs Prosody more than its bytes do, so blocks of
  /// the specification's own 4096 bytes are slower by a sixth. Larger ones it reads in pieces, with a pause after each.
  package static let preferredBlockSize = 5760
  package static let maximumBlockSize = 65_535
  /// A longer name of a stream is refused, in UTF-8 bytes.
  package static let maximumNameLength = 256

  /// What blocks travel in.
  package enum Carrier: String, Hashable, Sendable, CaseIterable {
    /// With an answer to each block.
    case iq
    /// Without.
    case message
  }

  /// Wants a stream.
  package struct Open: Hashable, Sendable {
    package var sid: String
    /// The bytes that a block has at most, before base64.
    package var blockSize: Int
    package var carrier: Carrier

    package init(sid: String, blockSize: Int = preferredBlockSize, carrier: Carrier = .iq) {
      self.sid = sid
      self.blockSize = blockSize
      self.carrier = carrier
    }
  }

  /// A block.
  package struct Block: Hashable, Sendable {
    package var sid: String
    package var sequenceNumber: UInt16
    /// The bytes in base64, as they came: whoever knows the stream decodes them.
    package var text: String

    package init(sid: String, sequenceNumber: UInt16, bytes: some Collection<UInt8>) {
      self.sid = sid
      self.sequenceNumber = sequenceNumber
      text = Base64Block.encode(bytes)
    }

    /// - Throws: `bad-request` when the text is no base64, or more than `blockSize` bytes.
    package func bytes(upTo blockSize: Int) throws(StanzaError) -> [UInt8] {
      guard let bytes = Base64Block.decode(text) else {
        throw StanzaError(.badRequest, type: .cancel, text: "the block is not base64")
      }
      guard bytes.count <= blockSize else {
        throw StanzaError(.badRequest, type: .cancel, text: "the block is larger than \(blockSize) bytes")
      }
      return bytes
    }
  }

  /// Ends the stream, in both directions.
  package struct Close: Hashable, Sendable {
    package var sid: String

    package init(sid: String) { self.sid = sid }
  }

  /// The answer to a request of this protocol for a stream that nobody knows; nil when it is none.
  ///
  /// - Specification: XEP-0047 §2.2, §2.3
  package static func refusal(of iq: IQ) -> IQ? {
    guard let request = iq.request, request.namespace == namespace else { return nil }
    let known = ["data", "close"].contains(request.name)
    return iq.reply(.error(known ? StanzaError(.itemNotFound) : StanzaError(.notAcceptable, type: .cancel)))
  }

  /// The name of the stream that an element is about, for finding who knows it; nil when it is none of this protocol's.
  package static func sid(of element: XMLElement) -> String? {
    element.namespace == namespace ? element[attribute: "sid"] : nil
  }

  fileprivate static func name(in element: XMLElement, _ kind: String) throws(StanzaError) -> String {
    guard element.is(kind, namespace) else { throw StanzaError(.badRequest, text: "not a <\(kind)/> of a bytestream") }
    let sid = try element.required("sid")
    guard sid.utf8.count <= maximumNameLength else { throw StanzaError(.badRequest, text: "the sid is too long") }
    return sid
  }
}

extension InBandBytestream.Open {
  package init(_ element: XMLElement) throws(StanzaError) {
    sid = try InBandBytestream.name(in: element, "open")
    guard let size = element[attribute: "block-size"].flatMap(UInt16.init(decimal:)), size > 0 else {
      throw StanzaError(.badRequest, text: "the block-size is missing or no number from 1 to 65535")
    }
    blockSize = Int(size)
    guard let carrier = InBandBytestream.Carrier(rawValue: element[attribute: "stanza"] ?? "iq") else {
      throw StanzaError(.badRequest, text: "'stanza' is neither iq nor message")
    }
    self.carrier = carrier
  }

  package var element: XMLElement {
    XMLElement(
      "open", namespace: InBandBytestream.namespace,
      attributes: ["sid": sid, "block-size": String(blockSize), "stanza": carrier.rawValue])
  }
}

extension InBandBytestream.Block {
  package init(_ element: XMLElement) throws(StanzaError) {
    sid = try InBandBytestream.name(in: element, "data")
    guard let number = element[attribute: "seq"].flatMap(UInt16.init(decimal:)) else {
      throw StanzaError(.badRequest, type: .cancel, text: "the seq is missing or no number from 0 to 65535")
    }
    sequenceNumber = number
    text = element.text
  }

  package var element: XMLElement {
    XMLElement(
      "data", namespace: InBandBytestream.namespace, attributes: ["sid": sid, "seq": String(sequenceNumber)], text: text
    )
  }
}

extension InBandBytestream.Close {
  package init(_ element: XMLElement) throws(StanzaError) {
    sid = try InBandBytestream.name(in: element, "close")
  }

  package var element: XMLElement {
    XMLElement("close", namespace: InBandBytestream.namespace, attributes: ["sid": sid])
  }
}

extension FixedWidthInteger {
  /// A number written in decimal digits only.
  init?(decimal text: String) {
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    self.init(text)
  }
}
