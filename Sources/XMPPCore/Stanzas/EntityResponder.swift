/// Answers the requests that every entity has to answer: what it is, whether it is there, and that it does not know the
/// rest.
///
/// It comes last, after those who know more (roster, Jingle) have said that a request is not theirs.
///
/// - Specification: RFC 6120 §8.2.3, §8.4; XEP-0030 §3, §4; XEP-0115 §6.2; XEP-0199 §4
package struct EntityResponder: Sendable {
  package let info: DiscoInfo
  /// What to advertise in presence.
  package let capabilities: Capabilities

  /// - Parameters:
  ///   - info: what this entity is and can do. The features that are answered here are added.
  ///   - node: the software, as a URI, for capabilities.
  package init(info: DiscoInfo, node: String) {
    var info = info
    let own = [DiscoInfo.namespace, DiscoItems.namespace, Capabilities.namespace, Ping.namespace]
    info.features = Set(info.features + own).sorted()
    info.node = nil
    self.info = info
    capabilities = Capabilities(node: node, of: info)
  }

  /// The answer to a stanza, or nil where none may be sent: to anything but a request, and to a request whose sender or
  /// id cannot be read.
  package func answer(to stanza: XMLElement) -> XMLElement? {
    guard stanza.is("iq", Stanza.namespace) else { return nil }
    do {
      return answer(to: try IQ(stanza))?.element
    } catch {
      return error.reply(to: stanza)
    }
  }

  /// The answer to a request; nil to an answer.
  package func answer(to iq: IQ) -> IQ? {
    guard let request = iq.request else { return nil }
    let isGet = if case .get = iq.content { true } else { false }
    do {
      return iq.reply(.result(try result(of: request, isGet: isGet)))
    } catch {
      return iq.reply(.error(error))
    }
  }

  private func result(of request: XMLElement, isGet: Bool) throws(StanzaError) -> XMLElement? {
    let node = request[attribute: "node"]
    switch (request.name, request.namespace) {
    case ("query", DiscoInfo.namespace) where isGet:
      guard node == nil || node == capabilities.queryNode else { throw StanzaError(.itemNotFound) }
      var info = info
      info.node = node
      return info.element
    case ("query", DiscoItems.namespace) where isGet:
      guard node == nil else { throw StanzaError(.itemNotFound) }
      return DiscoItems().element
    case ("ping", Ping.namespace) where isGet:
      return nil
    case (_, DiscoInfo.namespace), (_, DiscoItems.namespace), (_, Ping.namespace):
      throw StanzaError(.featureNotImplemented)
    default:
      throw StanzaError(.serviceUnavailable)
    }
  }
}
