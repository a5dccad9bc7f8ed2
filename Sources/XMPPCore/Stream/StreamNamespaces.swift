/// The namespaces of the stream itself.
///
/// - Specification: RFC 6120 §14
enum StreamNamespace {
  static let client = "jabber:client"
  static let stream = "http://etherx.jabber.org/streams"
  static let streamErrors = "urn:ietf:params:xml:ns:xmpp-streams"
  static let stanzaErrors = "urn:ietf:params:xml:ns:xmpp-stanzas"
  static let tls = "urn:ietf:params:xml:ns:xmpp-tls"
  static let sasl = "urn:ietf:params:xml:ns:xmpp-sasl"
  static let saslChannelBinding = "urn:xmpp:sasl-cb:0"
  static let bind = "urn:ietf:params:xml:ns:xmpp-bind"
  static let session = "urn:ietf:params:xml:ns:xmpp-session"
}

/// Words of a stranger, made fit for a message to people.
package enum Printable {
  /// One line of at most 200 characters, without control characters.
  package static func shortened(_ text: String) -> String {
    let line = String(text.unicodeScalars.prefix(200).map { $0.properties.generalCategory == .control ? " " : Character($0) })
    return text.unicodeScalars.count > 200 ? line + "…" : line
  }
}
