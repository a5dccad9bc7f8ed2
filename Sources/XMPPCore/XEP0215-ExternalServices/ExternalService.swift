/// A service outside XMPP that the server knows of, such as a STUN or TURN server.
///
/// Its description leaves out the credentials, so that it may be logged.
///
/// - Specification: XEP-0215 §2
package struct ExternalService: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    case stun, stuns, turn, turns
    case other(String)
  }

  package enum Transport: Hashable, Sendable {
    case udp, tcp
    case other(String)
  }

  package enum Action: String, Hashable, Sendable, CaseIterable {
    case add, delete, modify
  }

  package var kind: Kind
  /// A domain name or an IP address.
  package var host: String
  /// Nil when the service is at its type's own port.
  package var port: UInt16?
  package var transport: Transport?
  package var name: String?
  package var username: String?
  package var password: String?
  /// When the credentials end: time since 1 January 1970 UTC.
  package var expires: Duration?
  /// Whether credentials are needed and, when they are not here, have to be asked for.
  package var isRestricted = false
  /// What a push says of this service; in an answer always `add`.
  package var action = Action.add

  package init(_ kind: Kind, host: String, port: UInt16? = nil, transport: Transport? = nil) {
    self.kind = kind
    self.host = host
    self.port = port
    self.transport = transport
  }

  /// Whether the credentials must be asked for before the service can be used.
  package var needsCredentials: Bool { isRestricted && (username == nil || password == nil) }

  package func isExpired(at wallTime: Duration) -> Bool {
    expires.map { $0 <= wallTime } ?? false
  }

  /// Whether both stand for one service, whatever its credentials.
  func hasSameAddress(as other: ExternalService) -> Bool {
    isSameService(as: other) && port == other.port && transport == other.transport
  }

  /// Whether both may speak of one service: what either leaves open fits all.
  package func isSameService(as other: ExternalService) -> Bool {
    kind == other.kind && host == other.host
      && (port == nil || other.port == nil || port == other.port)
      && (transport == nil || other.transport == nil || transport == other.transport)
  }
}

extension ExternalService: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  package var description: String {
    let address = host.contains(":") ? "[\(host)]" : host
    return "\(kind.name):\(address)" + (port.map { ":\($0)" } ?? "") + (transport.map { "?transport=\($0.name)" } ?? "")
  }

  package var debugDescription: String { description }

  package var customMirror: Mirror { Mirror(self, children: ["service": description]) }
}

extension ExternalService.Kind {
  private static let known: [String: Self] = ["stun": .stun, "stuns": .stuns, "turn": .turn, "turns": .turns]

  package init(name: String) {
    let name = name.lowercased()
    self = Self.known[name] ?? .other(name)
  }

  package var name: String {
    switch self {
    case .stun: "stun"
    case .stuns: "stuns"
    case .turn: "turn"
    case .turns: "turns"
    case .other(let name): name
    }
  }
}

extension ExternalService.Transport {
  package init(name: String) {
    let name = name.lowercased()
    self = name == "udp" ? .udp : name == "tcp" ? .tcp : .other(name)
  }

  package var name: String {
    switch self {
    case .udp: "udp"
    case .tcp: "tcp"
    case .other(let name): name
    }
  }
}

extension ExternalService {
  /// Longer values than any service has make an entry unreadable: a host name has 253 characters, a TURN user name at
  /// most 508 bytes (RFC 8489 §14.3).
  static let maximumLength = 512

  init(_ element: XMLElement) throws(StanzaError) {
    guard element.is("service", ExternalServices.namespace) else {
      throw StanzaError(.badRequest, text: "not a <service/>")
    }
    for value in element.attributes.values where value.utf8.count > Self.maximumLength {
      throw StanzaError(.notAcceptable, text: "a <service/> with a value of \(value.utf8.count) bytes")
    }
    kind = Kind(name: try element.required("type"))
    host = try element.required("host")
    guard host.utf8.allSatisfy({ (0x21...0x7E).contains($0) || $0 >= 0x80 }) else {
      throw StanzaError(.badRequest, text: "<service/> with a malformed 'host'")
    }
    if let text = element[attribute: "port"] {
      guard let number = UInt16(text), number > 0 else {
        throw StanzaError(.badRequest, text: "<service/> with a malformed 'port'")
      }
      port = number
    }
    transport = element[attribute: "transport"].map(Transport.init(name:))
    name = element[attribute: "name"]
    username = element[attribute: "username"]
    password = element[attribute: "password"]
    expires = element[attribute: "expires"].flatMap(DateTime.parse)
    isRestricted = ["1", "true"].contains(element[attribute: "restricted"])
    switch element[attribute: "action"] {
    case nil: break
    // The specification's text says remove, its schema and examples say delete.
    case "remove": action = .delete
    case let text?:
      guard let action = Action(rawValue: text) else {
        throw StanzaError(.badRequest, text: "<service/> with an unknown 'action'")
      }
      self.action = action
    }
  }

  package var element: XMLElement {
    var element = XMLElement("service", namespace: ExternalServices.namespace)
    element[attribute: "type"] = kind.name
    element[attribute: "host"] = host
    element[attribute: "port"] = port.map { String($0) }
    element[attribute: "transport"] = transport?.name
    element[attribute: "name"] = name
    element[attribute: "username"] = username
    element[attribute: "password"] = password
    element[attribute: "expires"] = expires.map(DateTime.format)
    if isRestricted { element[attribute: "restricted"] = "true" }
    if action != .add { element[attribute: "action"] = action.rawValue }
    return element
  }
}
