/// A copy of a message that another device of the same account sent or received.
///
/// - Specification: XEP-0280 §4, §5, §7, §8
package enum MessageCarbon: Hashable, Sendable {
  case received(Message)
  case sent(Message)

  package static let namespace = "urn:xmpp:carbons:2"
  private static let forwardNamespace = "urn:xmpp:forward:0"

  /// The requests that switch copies on and off, for an iq of type set to the own server.
  package static let enable = XMLElement("enable", namespace: namespace)
  package static let disable = XMLElement("disable", namespace: namespace)

  /// Why a message that looks like a carbon is not one. Such a message is dropped, without an answer.
  package enum Refusal: Error, Hashable, Sendable {
    /// Somebody else than the own account sent it, so that its content may be made up.
    case forged
    /// There is no message inside, or one that cannot be read.
    case malformed
  }

  /// The copy inside `message`.
  ///
  /// - Parameter account: the own address; only its bare form may send carbons.
  /// - Returns: nil when the message is no carbon.
  /// - Specification: XEP-0280 §11 (security considerations)
  package static func unwrap(_ message: Message, account: JID) throws(Refusal) -> MessageCarbon? {
    let wrappers = message.payloads.filter(isWrapper)
    guard let wrapper = wrappers.first else { return nil }
    guard message.from == account.bare, message.to?.bare ?? account.bare == account.bare else { throw .forged }
    guard wrappers.count == 1,
      let element = wrapper.first("forwarded", forwardNamespace)?.first("message", Stanza.namespace)
    else { throw .malformed }
    let copy: Message
    do { copy = try Message(element) } catch { throw .malformed }
    // No server copies copies; one inside would not have been checked by anybody.
    guard !copy.payloads.contains(where: isWrapper) else { throw .forged }
    // The server copies what went from or to this account; anything else is not what it says it is.
    if wrapper.name == "sent" {
      guard copy.from?.bare == account.bare else { throw .forged }
      return .sent(copy)
    } else {
      guard copy.to?.bare ?? account.bare == account.bare else { throw .forged }
      return .received(copy)
    }
  }

  private static func isWrapper(_ element: XMLElement) -> Bool {
    element.namespace == namespace && ["received", "sent"].contains(element.name)
  }
}
