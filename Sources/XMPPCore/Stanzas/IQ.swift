/// A request or the answer to one.
///
/// - Specification: RFC 6120 §8.2.3
package struct IQ: Hashable, Sendable {
  package enum Content: Hashable, Sendable {
    case get(XMLElement)
    case set(XMLElement)
    case result(XMLElement?)
    case error(StanzaError)
  }

  package var id: String
  package var from: JID?
  package var to: JID?
  package var content: Content

  package init(id: String, from: JID? = nil, to: JID? = nil, _ content: Content) {
    self.id = id
    self.from = from
    self.to = to
    self.content = content
  }

  /// The element inside a request or result.
  package var payload: XMLElement? {
    switch content {
    case .get(let payload), .set(let payload): payload
    case .result(let payload): payload
    case .error: nil
    }
  }

  /// The element inside a request; nil for an answer.
  package var request: XMLElement? {
    switch content {
    case .get(let payload), .set(let payload): payload
    case .result, .error: nil
    }
  }

  /// The answer to this request, addressed to whoever asked.
  package func reply(_ content: Content) -> IQ {
    IQ(id: id, from: to, to: from, content)
  }
}

extension IQ {
  package init(_ element: XMLElement) throws(StanzaError) {
    guard element.is("iq", Stanza.namespace) else { throw StanzaError(.badRequest, text: "not an <iq/>") }
    id = try element.required("id")
    from = try element.address("from")
    to = try element.address("to")
    let children = element.children
    switch try element.required("type") {
    case "get": content = .get(try Self.only(children))
    case "set": content = .set(try Self.only(children))
    // More than one child is against the rules, yet an answer is only ever read for the one that was asked for.
    case "result": content = .result(children.first)
    case "error": content = .error(StanzaError(in: element))
    default: throw StanzaError(.badRequest, text: "<iq/> of unknown type")
    }
  }

  package var element: XMLElement {
    let (type, child): (String, XMLElement?) =
      switch content {
      case .get(let payload): ("get", payload)
      case .set(let payload): ("set", payload)
      case .result(let payload): ("result", payload)
      case .error(let error): ("error", error.element)
      }
    var element = XMLElement(stanza: "iq", type: type, id: id, from: from, to: to)
    if let child { element.append(child) }
    return element
  }

  private static func only(_ children: [XMLElement]) throws(StanzaError) -> XMLElement {
    guard children.count == 1 else { throw StanzaError(.badRequest, text: "a request holds exactly one element") }
    return children[0]
  }
}
