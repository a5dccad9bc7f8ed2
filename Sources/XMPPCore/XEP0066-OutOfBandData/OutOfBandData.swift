/// An address that one entity tells another: in a message, or as a request to fetch what lies there.
///
/// - Specification: XEP-0066 §2, §3
package struct OutOfBandData: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    /// In a message or presence.
    case note
    /// In an iq of type set, which is answered once everything was fetched.
    case request
  }

  package static let noteNamespace = "jabber:x:oob"
  package static let requestNamespace = "jabber:iq:oob"
  /// A longer description is left out, in UTF-8 bytes.
  package static let maximumTextLength = 4096

  package var kind: Kind
  /// Any URI.
  package var url: String
  package var description: String?

  package init(_ kind: Kind = .note, url: String, description: String? = nil) {
    self.kind = kind
    self.url = url
    self.description = description
  }

  /// The answer to a request: nil is success.
  ///
  /// - Parameter error: `item-not-found` when it could not be fetched, `not-acceptable` when it was not wanted.
  package static func answer(to request: IQ, _ error: StanzaError.Condition? = nil) -> IQ {
    request.reply(error.map { .error(StanzaError($0)) } ?? .result(nil))
  }
}

extension OutOfBandData {
  package init(_ element: XMLElement) throws(StanzaError) {
    switch (element.name, element.namespace) {
    case ("x", Self.noteNamespace): kind = .note
    case ("query", Self.requestNamespace): kind = .request
    default: throw StanzaError(.badRequest, text: "not out-of-band data")
    }
    guard let url = element.first("url", element.namespace)?.text, (1...HTTPSURL.maximumLength).contains(url.utf8.count)
    else { throw StanzaError(.badRequest, text: "out-of-band data without a URL, or with one that is too long") }
    self.url = url
    if let text = element.first("desc", element.namespace)?.text, (1...Self.maximumTextLength).contains(text.utf8.count)
    {
      description = text
    }
  }

  package var element: XMLElement {
    let namespace = kind == .note ? Self.noteNamespace : Self.requestNamespace
    var element = XMLElement(
      kind == .note ? "x" : "query", namespace: namespace,
      children: [XMLElement("url", namespace: namespace, text: url)])
    if let description { element.append(XMLElement("desc", namespace: namespace, text: description)) }
    return element
  }
}
