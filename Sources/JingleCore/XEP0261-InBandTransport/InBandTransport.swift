package import XMPPCore

/// The bytestream inside of stanzas that a content goes by, as one side offers it and the other accepts it.
///
/// Once agreed, the session's initiator opens it with `open`, whichever way the bytes go.
///
/// - Specification: XEP-0261 §2
package struct InBandTransport: Hashable, Sendable {
  package static let namespace = "urn:xmpp:jingle:transports:ibb:1"

  package var sid: String
  /// The bytes that a block has at most, before base64.
  package var blockSize: Int
  package var carrier: InBandBytestream.Carrier

  package init(
    sid: String, blockSize: Int = InBandBytestream.preferredBlockSize, carrier: InBandBytestream.Carrier = .iq
  ) {
    self.sid = sid
    self.blockSize = blockSize
    self.carrier = carrier
  }

  /// The answer to this offer: the same stream, with blocks no larger than `maximum`.
  ///
  /// - Specification: XEP-0261 §2.2
  package func accepting(upTo maximum: Int = InBandBytestream.preferredBlockSize) -> InBandTransport {
    InBandTransport(sid: sid, blockSize: min(blockSize, max(1, maximum)), carrier: carrier)
  }

  /// What holds after the peer has accepted this offer with `answer`: the smaller blocks.
  ///
  /// - Throws: `bad-request` when the answer is about another stream, or about other stanzas.
  package func agreed(with answer: InBandTransport) throws(StanzaError) -> InBandTransport {
    guard answer.sid == sid else { throw .badRequest("another bytestream was accepted than the one offered") }
    // Who leaves the attribute out may never have heard of it; iq, which that means, everybody takes.
    guard answer.carrier == carrier || answer.carrier == .iq else {
      throw .badRequest("another kind of stanza was accepted than the one offered")
    }
    return InBandTransport(sid: sid, blockSize: min(blockSize, answer.blockSize), carrier: answer.carrier)
  }

  /// What opens the bytestream that was agreed.
  package var open: InBandBytestream.Open {
    InBandBytestream.Open(sid: sid, blockSize: blockSize, carrier: carrier)
  }
}

extension InBandTransport {
  package init(_ element: XMLElement) throws(StanzaError) {
    guard element.is("transport", Self.namespace) else { throw .badRequest("not an in-band transport") }
    guard let sid = element[attribute: "sid"], (1...InBandBytestream.maximumNameLength).contains(sid.utf8.count) else {
      throw .badRequest("the bytestream's sid is missing, empty or too long")
    }
    guard let size: UInt16 = element.number("block-size"), size > 0 else {
      throw .badRequest("the block-size is missing or no number from 1 to 65535")
    }
    guard let carrier = InBandBytestream.Carrier(rawValue: element[attribute: "stanza"] ?? "iq") else {
      throw .badRequest("'stanza' is neither iq nor message")
    }
    self.init(sid: sid, blockSize: Int(size), carrier: carrier)
  }

  package var element: XMLElement {
    var element = XMLElement(
      "transport", namespace: Self.namespace, attributes: ["sid": sid, "block-size": String(blockSize)])
    // The default is left out: not everybody has heard of the attribute.
    if carrier != .iq { element[attribute: "stanza"] = carrier.rawValue }
    return element
  }
}
