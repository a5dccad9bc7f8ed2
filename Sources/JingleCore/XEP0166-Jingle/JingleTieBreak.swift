package import XMPPCore

/// Which of two equivalent requests stands when each side sent one before it received the other's.
///
/// - Specification: XEP-0166 §7.2.16, XEP-0353 §4.1
package struct JingleTieBreak: Hashable, Sendable {
  package var sid: String
  package var sender: JID

  package init(sid: String, sender: JID) {
    self.sid = sid
    self.sender = sender
  }

  /// Whether this request overrules the other: the lower session id does, or with equal ids the lower address, byte by
  /// byte (RFC 4790 §9.3).
  package func overrules(_ other: JingleTieBreak) -> Bool {
    if sid.utf8.elementsEqual(other.sid.utf8) {
      sender.description.utf8.lexicographicallyPrecedes(other.sender.description.utf8)
    } else {
      sid.utf8.lexicographicallyPrecedes(other.sid.utf8)
    }
  }
}
