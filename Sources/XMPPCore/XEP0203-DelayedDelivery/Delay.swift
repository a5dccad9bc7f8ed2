/// When a stanza was first sent, where it did not come straight away.
///
/// - Specification: XEP-0203 §2
package struct Delay: Hashable, Sendable {
  package static let namespace = "urn:xmpp:delay"

  /// Time since 1 January 1970 UTC.
  package var stamp: Duration
  /// Who delayed the stanza; a client believes only its own server and the rooms it is in.
  package var from: JID?

  package init(stamp: Duration, from: JID? = nil) {
    self.stamp = stamp
    self.from = from
  }
}

extension Delay {
  package init(_ element: XMLElement) throws(StanzaError) {
    guard element.is("delay", Self.namespace) else { throw StanzaError(.badRequest, text: "not a <delay/>") }
    guard let stamp = DateTime.parse(try element.required("stamp")) else {
      throw StanzaError(.badRequest, text: "<delay/> with a malformed 'stamp'")
    }
    self.stamp = stamp
    from = try element.address("from")
  }

  package var element: XMLElement {
    var element = XMLElement("delay", namespace: Self.namespace, attributes: ["stamp": DateTime.format(stamp)])
    element[attribute: "from"] = from?.description
    return element
  }
}

extension Message {
  /// The delay that `delayer` noted on this message, or nil when there is none that can be read.
  package func delay(by delayer: Set<JID>) -> Delay? {
    payloads.lazy.compactMap { try? Delay($0) }.first { $0.from.map(delayer.contains) ?? true }
  }
}
