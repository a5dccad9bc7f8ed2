import XMPPCore

/// What one side tells the other about its end of data channels: an SCTP association over DTLS over ICE.
///
/// Peers write it in three ways (see `Form`). All are read; what is sent has the form that the peer used.
///
/// - Specification: XEP-0343, RFC 8831, RFC 8841
package struct DataChannelTransport: Hashable, Sendable {
  package enum Form: Hashable, Sendable, CaseIterable {
    /// As Conversations has it, unpublished: an element of its own around the ICE-UDP transport.
    case wrapped
    /// As the specification has it: a `sctpmap` in the ICE-UDP transport.
    case iceUDP
    /// As Psi has it: a `sctpmap` in the ICE transport of XEP-0371, which differs from ICE-UDP in its name only.
    case ice
  }

  /// Of the form `wrapped`; it is the feature in service discovery too.
  package static let namespace = "urn:xmpp:jingle:transports:webrtc-datachannel:1"
  /// Of the `channel` element, and a feature.
  package static let channelNamespace = "urn:xmpp:jingle:transports:webrtc-datachannel:0"
  /// Of the `sctpmap` element, and a feature.
  package static let mapNamespace = "urn:xmpp:jingle:transports:dtls-sctp:1"
  /// The transport of XEP-0371.
  package static let iceNamespace = "urn:xmpp:jingle:transports:ice:0"
  static let mapProtocol = "webrtc-datachannel"

  /// The port where none is named; WebRTC stacks use no other.
  package static let defaultPort: UInt16 = 5000
  /// What a peer takes that does not say.
  ///
  /// - Specification: RFC 8841 §6.1
  package static let defaultMaximumMessageSize = 65_536
  /// More explicit channels are left out.
  package static let maximumChannels = 16

  package var form: Form
  package var ice: ICETransport
  package var port: UInt16?
  /// The largest message that the writer takes, in bytes; 0 for any. The form `wrapped` alone has a place for it.
  package var maximumMessageSize: UInt64?
  /// How many streams may come in. The forms with a map alone have a place for it.
  package var streams: UInt32?
  /// Channels that are not opened in band but by being named here.
  package var channels: [Channel]

  package init(
    form: Form, ice: ICETransport, port: UInt16? = nil, maximumMessageSize: UInt64? = nil, streams: UInt32? = nil,
    channels: [Channel] = []
  ) {
    self.form = form
    self.ice = ice
    self.port = port
    self.maximumMessageSize = maximumMessageSize
    self.streams = streams
    self.channels = channels
  }

  /// How a channel is to behave, in the terms of the WebRTC API.
  ///
  /// - Specification: XEP-0343 §5.2
  package struct Channel: Hashable, Sendable {
    package var id: UInt16?
    package var isNegotiated: Bool
    package var isOrdered: Bool
    package var maximumLifetime: UInt16?
    package var maximumRetransmissions: UInt16?
    package var subprotocol: String?

    package init(
      id: UInt16? = nil, isNegotiated: Bool = false, isOrdered: Bool = true, maximumLifetime: UInt16? = nil,
      maximumRetransmissions: UInt16? = nil, subprotocol: String? = nil
    ) {
      self.id = id
      self.isNegotiated = isNegotiated
      self.isOrdered = isOrdered
      self.maximumLifetime = maximumLifetime
      self.maximumRetransmissions = maximumRetransmissions
      self.subprotocol = subprotocol
    }

    /// Whether it is a stream: nothing is lost and nothing overtakes.
    ///
    /// - Specification: XEP-0343 §1
    package var isStream: Bool { isOrdered && maximumLifetime == nil && maximumRetransmissions == nil }
  }

  /// The largest message to send to the writer, in bytes.
  package var sendLimit: Int {
    switch maximumMessageSize {
    case nil: Self.defaultMaximumMessageSize
    case 0: .max
    case let size?: Int(clamping: size)
    }
  }
}

// MARK: Within Jingle

extension Jingle.Transport {
  /// A data channel's transport; the specification's own form is an ICE-UDP transport.
  package init(_ transport: DataChannelTransport) {
    switch transport.form {
    case .wrapped, .ice: self = .dataChannel(transport)
    case .iceUDP: self = .iceUDP(transport.mapped)
    }
  }

  /// The data channels that the transport is for; nil when it is for something else, or the map is malformed.
  package var dataChannel: DataChannelTransport? {
    switch self {
    case .dataChannel(let transport): transport
    case .iceUDP(let ice): DataChannelTransport(mapped: ice, form: .iceUDP)
    default: nil
    }
  }

  /// How a data channel's ICE transport is written; nil where it is a plain ICE transport.
  var dataChannelForm: DataChannelTransport.Form? {
    if case .dataChannel(let transport) = self { transport.form } else { nil }
  }

  /// The ICE connection that the transport rests on, whatever goes over it.
  var ice: ICETransport? {
    switch self {
    case .dataChannel(let transport): transport.ice
    default: iceUDP
    }
  }
}

// MARK: Elements

extension DataChannelTransport {
  /// - Parameter element: of `namespace` or `iceNamespace`.
  /// - Throws: `bad-request` when a number or the ICE transport is malformed, since nothing can be saved then.
  init(_ element: XMLElement) throws(StanzaError) {
    guard element.namespace == Self.iceNamespace else {
      // Without the inner transport it is only a name, as in an answer that brings candidates later.
      let ice = try element.first("transport", ICETransport.namespace).map { (inner) throws(StanzaError) in
        try ICETransport(inner)
      }
      self.init(form: .wrapped, ice: ice ?? ICETransport())
      port = try Self.port(element, "sctp-port")
      if element[attribute: "max-message-size"] != nil {
        guard let size: UInt64 = element.number("max-message-size") else {
          throw .badRequest("max-message-size is not a number")
        }
        maximumMessageSize = size
      }
      return
    }
    let ice = try ICETransport(element.moved(from: Self.iceNamespace, to: ICETransport.namespace))
    guard ice.extensions.contains(where: Self.isMap) else {
      // Candidates that follow.
      self.init(form: .ice, ice: ice)
      return
    }
    guard let transport = DataChannelTransport(mapped: ice, form: .ice) else {
      throw .badRequest("malformed sctpmap")
    }
    self = transport
  }

  var element: XMLElement {
    switch form {
    case .wrapped:
      var element = XMLElement("transport", namespace: Self.namespace)
      element[attribute: "sctp-port"] = port.map(String.init)
      element[attribute: "max-message-size"] = maximumMessageSize.map(String.init)
      element.append(ice.element)
      return element
    case .iceUDP: return mapped.element
    case .ice: return mapped.element.moved(from: ICETransport.namespace, to: Self.iceNamespace)
    }
  }

  private static func isMap(_ element: XMLElement) -> Bool { element.is("sctpmap", mapNamespace) }

  /// Nil when there is no map of data channels, or its numbers are malformed.
  fileprivate init?(mapped ice: ICETransport, form: Form) {
    guard
      let map = ice.extensions.first(where: { Self.isMap($0) && $0[attribute: "protocol"] == Self.mapProtocol }),
      // The specification's table calls the number a port, its schema and examples a number.
      let port = try? Self.port(map, "number") ?? Self.port(map, "port")
    else { return nil }
    var bare = ice
    bare.extensions.removeAll { Self.isMap($0) || Channel.isOne($0) }
    self.init(
      form: form, ice: bare, port: port, streams: map.number("streams"),
      channels: Array(ice.extensions.filter(Channel.isOne).compactMap(Channel.init).prefix(Self.maximumChannels)))
  }

  /// The ICE transport with the map in it, where there is a port to tell.
  fileprivate var mapped: ICETransport {
    guard let port else { return ice }
    var map = XMLElement("sctpmap", namespace: Self.mapNamespace)
    map[attribute: "number"] = String(port)
    map[attribute: "protocol"] = Self.mapProtocol
    map[attribute: "streams"] = streams.map(String.init)
    var whole = ice
    whole.extensions = [map] + channels.map(\.element) + ice.extensions
    return whole
  }

  private static func port(_ element: XMLElement, _ attribute: String) throws(StanzaError) -> UInt16? {
    guard element[attribute: attribute] != nil else { return nil }
    guard let port: UInt16 = element.number(attribute), port > 0 else { throw .badRequest("\(attribute) is no port") }
    return port
  }
}

extension DataChannelTransport.Channel {
  /// Psi writes it in the namespace of the map.
  static func isOne(_ element: XMLElement) -> Bool {
    element.is("channel", DataChannelTransport.channelNamespace)
      || element.is("channel", DataChannelTransport.mapNamespace)
  }

  /// Nil when a number is malformed, or both limits are there (RFC 8831 §6.6 knows one).
  init?(_ element: XMLElement) {
    func limit(_ name: String) -> UInt16?? {
      guard element[attribute: name] != nil else { return .some(nil) }
      // Psi writes 0 for none.
      return element.number(name, as: UInt16.self).map { $0 == 0 ? nil : $0 }
    }
    guard let id = element[attribute: "id"] == nil ? .some(nil) : element.number("id", as: UInt16.self).map({ $0 }),
      let lifetime = limit("maxPacketLifeTime"), let retransmissions = limit("maxRetransmits"),
      lifetime == nil || retransmissions == nil
    else { return nil }
    self.init(
      id: id, isNegotiated: ["true", "1"].contains(element[attribute: "negotiated"]),
      isOrdered: !["false", "0"].contains(element[attribute: "ordered"]), maximumLifetime: lifetime,
      maximumRetransmissions: retransmissions, subprotocol: element.token("protocol", upTo: 256))
  }

  var element: XMLElement {
    var element = XMLElement("channel", namespace: DataChannelTransport.channelNamespace)
    element[attribute: "id"] = id.map(String.init)
    if isNegotiated { element[attribute: "negotiated"] = "true" }
    if !isOrdered { element[attribute: "ordered"] = "false" }
    element[attribute: "maxPacketLifeTime"] = maximumLifetime.map(String.init)
    element[attribute: "maxRetransmits"] = maximumRetransmissions.map(String.init)
    element[attribute: "protocol"] = subprotocol
    return element
  }
}

extension XMLElement {
  /// The element and its children in another namespace, those of them that were in `old`.
  fileprivate func moved(from old: String, to new: String) -> XMLElement {
    var moved = self
    if namespace == old { moved.namespace = new }
    moved.nodes = nodes.map { node in
      guard case .element(var child) = node, child.namespace == old else { return node }
      child.namespace = new
      return .element(child)
    }
    return moved
  }
}
