package import XMPPCore

extension Jingle {
  /// The side of a session.
  package enum Party: String, Hashable, Sendable {
    case initiator, responder

    package var other: Party { self == .initiator ? .responder : .initiator }
  }

  /// Who sends media.
  package enum Senders: String, Hashable, Sendable {
    case both, initiator, none, responder

    /// Whether that side sends.
    package func include(_ party: Party) -> Bool {
      self == .both || rawValue == party.rawValue
    }

    /// Both directions from one side's point of view.
    package init(_ party: Party, sends: Bool, receives: Bool) {
      switch (sends, receives) {
      case (true, true): self = .both
      case (false, false): self = .none
      case (true, false): self = party == .initiator ? .initiator : .responder
      case (false, true): self = party == .initiator ? .responder : .initiator
      }
    }

    mutating func swapParties() {
      switch self {
      case .initiator: self = .responder
      case .responder: self = .initiator
      case .both, .none: break
      }
    }

    /// What is left when a side cannot do all that was offered.
    package func intersection(_ other: Senders) -> Senders {
      Senders(
        .initiator, sends: include(.initiator) && other.include(.initiator),
        receives: include(.responder) && other.include(.responder))
    }
  }

  /// One application format over one transport.
  ///
  /// - Specification: XEP-0166 §7.3
  package struct Content: Hashable, Sendable {
    /// Who created the content. Dino, Conversations and Movim write `initiator` in any case: match contents by `name`.
    package var creator: Party
    package var name: String
    package var senders: Senders
    /// `session` unless said otherwise.
    package var disposition: String
    package var description: Description?
    package var transport: Transport?
    /// A security precondition; none is implemented by anybody.
    package var security: XMLElement?

    package init(
      creator: Party = .initiator, name: String, senders: Senders = .both, disposition: String = "session",
      description: Description? = nil, transport: Transport? = nil, security: XMLElement? = nil
    ) {
      self.creator = creator
      self.name = name
      self.senders = senders
      self.disposition = disposition
      self.description = description
      self.transport = transport
      self.security = security
    }

    struct Key: Hashable {
      var creator: Party
      var name: String
    }

    var key: Key { Key(creator: creator, name: name) }
  }

  /// What is exchanged.
  package enum Description: Hashable, Sendable {
    case rtp(RTPDescription)
    case file(FileDescription)
    case unknown(XMLElement)

    package var element: XMLElement {
      switch self {
      case .rtp(let description): description.element
      case .file(let description): description.element
      case .unknown(let element): element
      }
    }

    package var namespace: String {
      switch self {
      case .rtp: RTPDescription.namespace
      case .file: FileDescription.namespace
      case .unknown(let element): element.namespace
      }
    }

    package var rtp: RTPDescription? {
      if case .rtp(let description) = self { description } else { nil }
    }

    package var file: FileDescription? {
      if case .file(let description) = self { description } else { nil }
    }

    package init(_ element: XMLElement) throws(StanzaError) {
      switch element.namespace {
      case RTPDescription.namespace: self = .rtp(try RTPDescription(element))
      // Without a file, as in proposals (XEP-0353), it only names the application.
      case FileDescription.namespace where element.first("file", FileDescription.namespace) != nil:
        self = .file(try FileDescription(element))
      default: self = .unknown(element)
      }
    }
  }

  /// How it is exchanged.
  package enum Transport: Hashable, Sendable {
    case iceUDP(ICETransport)
    case dataChannel(DataChannelTransport)
    case socks5(SOCKS5Transport)
    case inBand(InBandTransport)
    case unknown(XMLElement)

    package var element: XMLElement {
      switch self {
      case .iceUDP(let transport): transport.element
      case .dataChannel(let transport): transport.element
      case .socks5(let transport): transport.element
      case .inBand(let transport): transport.element
      case .unknown(let element): element
      }
    }

    var isUnknown: Bool { if case .unknown = self { true } else { false } }

    package var iceUDP: ICETransport? {
      if case .iceUDP(let transport) = self { transport } else { nil }
    }

    package var socks5: SOCKS5Transport? {
      if case .socks5(let transport) = self { transport } else { nil }
    }

    package var inBand: InBandTransport? {
      if case .inBand(let transport) = self { transport } else { nil }
    }

    package init(_ element: XMLElement) throws(StanzaError) {
      switch element.namespace {
      case ICETransport.namespace: self = .iceUDP(try ICETransport(element))
      case DataChannelTransport.namespace, DataChannelTransport.iceNamespace:
        self = .dataChannel(try DataChannelTransport(element))
      case SOCKS5Transport.namespace: self = .socks5(try SOCKS5Transport(element))
      case InBandTransport.namespace: self = .inBand(try InBandTransport(element))
      default: self = .unknown(element)
      }
    }
  }
}

extension Jingle.Content {
  init(_ element: XMLElement, in action: Jingle.Action) throws(StanzaError) {
    guard let name = element[attribute: "name"], Jingle.isName(name) else {
      throw .badRequest("a content's name is missing, empty or too long")
    }
    self.init(
      creator: element[attribute: "creator"].flatMap(Jingle.Party.init) ?? .initiator, name: name,
      disposition: element[attribute: "disposition"] ?? "session")
    if let value = element[attribute: "senders"] {
      guard let senders = Jingle.Senders(rawValue: value) else { throw .badRequest("unknown senders: \(value)") }
      self.senders = senders
    } else if action == .contentModify {
      throw .badRequest("content-modify without senders")
    }
    for child in element.children {
      // Each application and transport has a namespace of its own, so the name alone tells the kind.
      guard Jingle.isName(child.namespace) else {
        throw .badRequest("content \(name) has a namespace that is too long")
      }
      switch child.name {
      case "description":
        guard description == nil else { throw .badRequest("content \(name) has two descriptions") }
        description = try Jingle.Description(child)
      case "transport":
        guard transport == nil else { throw .badRequest("content \(name) has two transports") }
        transport = try Jingle.Transport(child)
      case "security": security = child
      default: break
      }
    }
    // Neither an offer nor a request (XEP-0234 §4.1).
    if senders == .none, description?.file != nil, action == .sessionInitiate || action == .contentAdd {
      throw .badRequest("file \(name) is sent by nobody")
    }
  }

  func element(in action: Jingle.Action) -> XMLElement {
    var element = XMLElement("content", namespace: Jingle.namespace)
    element[attribute: "creator"] = creator.rawValue
    element[attribute: "name"] = name
    if disposition != "session" { element[attribute: "disposition"] = disposition }
    switch action {
    case .sessionInitiate, .sessionAccept, .contentAdd, .contentAccept, .contentModify:
      element[attribute: "senders"] = senders.rawValue
    default:
      break
    }
    if let description { element.append(description.element) }
    if let transport { element.append(transport.element) }
    if let security { element.append(security) }
    return element
  }
}
