/// How a message would like to be handled on its way.
///
/// - Specification: XEP-0334 §4
package enum MessageHint: String, Hashable, Sendable, CaseIterable {
  case noPermanentStore = "no-permanent-store"
  case noStore = "no-store"
  case noCopy = "no-copy"
  case store

  package static let namespace = "urn:xmpp:hints"

  package var element: XMLElement { XMLElement(rawValue, namespace: Self.namespace) }
}

extension Message {
  /// The hints that this message carries; unknown ones are ignored, and so are all in errors (XEP-0334 §5).
  package var hints: Set<MessageHint> {
    if type == .error { return [] }
    return Set(payloads.compactMap { $0.namespace == MessageHint.namespace ? MessageHint(rawValue: $0.name) : nil })
  }
}
