/// The external services that a server knows of, kept up to date by its pushes.
///
/// - Specification: XEP-0215 §3
package struct ExternalServices: Hashable, Sendable {
  package static let namespace = "urn:xmpp:extdisco:2"

  /// More than any server lists; further ones are not read.
  package static let maximumServices = 64

  package private(set) var services: [ExternalService]

  /// The question for all services or those of one type, for an iq of type get.
  ///
  /// - Specification: XEP-0215 §3.1, §3.2
  package static func request(_ kind: ExternalService.Kind? = nil) -> XMLElement {
    var element = XMLElement("services", namespace: namespace)
    element[attribute: "type"] = kind?.name
    return element
  }

  /// The question for the credentials of one service, for an iq of type get.
  ///
  /// - Specification: XEP-0215 §3.3
  package static func credentialsRequest(for service: ExternalService) -> XMLElement {
    var asked = XMLElement("service", namespace: namespace)
    asked[attribute: "type"] = service.kind.name
    asked[attribute: "host"] = service.host
    asked[attribute: "port"] = service.port.map { String($0) }
    return XMLElement("credentials", namespace: namespace, children: [asked])
  }

  package init(_ services: [ExternalService] = []) {
    self.services = Array(services.prefix(Self.maximumServices))
  }

  /// Reads the answer to either question, or the payload of a push. Entries that cannot be read are left out.
  package init(_ element: XMLElement) throws(StanzaError) {
    guard element.is("services", Self.namespace) || element.is("credentials", Self.namespace) else {
      throw StanzaError(.badRequest, text: "not a list of external services")
    }
    let entries = element.all("service", Self.namespace).lazy.compactMap { try? ExternalService($0) }
    self.init(Array(entries.prefix(Self.maximumServices)))
  }

  package var element: XMLElement {
    XMLElement("services", namespace: Self.namespace, children: services.map(\.element))
  }

  /// Takes a push: services come, change and go.
  package mutating func apply(_ push: ExternalServices) {
    for var change in push.services {
      guard change.action != .delete else {
        services.removeAll { $0.isSameService(as: change) }
        continue
      }
      services.removeAll { $0.hasSameAddress(as: change) }
      guard services.count < Self.maximumServices else { continue }
      change.action = .add
      services.append(change)
    }
  }

  /// Takes the credentials that were asked for, for those services that wait for them.
  package mutating func apply(credentials: ExternalServices) {
    for index in services.indices where services[index].needsCredentials {
      guard let answer = credentials.services.first(where: { $0.isSameService(as: services[index]) }) else { continue }
      services[index].username = answer.username
      services[index].password = answer.password
      services[index].expires = answer.expires
    }
  }

  /// Takes a push from the own server.
  ///
  /// - Returns: the answer to send; nil when the stanza is no such push.
  /// - Parameter account: the own address; a push from elsewhere is refused.
  package mutating func receivePush(_ iq: IQ, account: JID) -> IQ? {
    guard case .set(let payload) = iq.content, payload.is("services", Self.namespace) else { return nil }
    guard iq.from == nil || iq.from == account.domain || iq.from == account.bare else {
      return iq.reply(.error(StanzaError(.serviceUnavailable)))
    }
    do {
      apply(try ExternalServices(payload))
      return iq.reply(.result(nil))
    } catch {
      return iq.reply(.error(error))
    }
  }
}
