/// A question to which every answer, even an error, proves that the other side is there.
///
/// - Specification: XEP-0199 §3, §4
package enum Ping {
  package static let namespace = "urn:xmpp:ping"

  /// The question, for an iq of type get.
  package static let request = XMLElement("ping", namespace: namespace)
}
