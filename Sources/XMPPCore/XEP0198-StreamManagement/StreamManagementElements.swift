/// What the two ends of a managed stream say to each other, beside stanzas.
///
/// - Specification: XEP-0198 §2–§6
extension StreamManagement {
  package static let namespace = "urn:xmpp:sm:3"

  /// What the server granted.
  package struct Grant: Hashable, Sendable {
    /// Names the stream when it is to be resumed; nil when it cannot be.
    package var id: String?
    /// For how long the server keeps the stream after its connection is lost, if it says so.
    package var maximum: Duration?
    /// Where to connect to resume, if the server prefers a place.
    package var location: StreamError.OtherHost?

    package init(id: String? = nil, maximum: Duration? = nil, location: StreamError.OtherHost? = nil) {
      self.id = id
      self.maximum = maximum
      self.location = location
    }

    /// Reads `<enabled/>`; nil for other elements. What cannot be read in it counts as not said.
    package init?(_ element: XMLElement) {
      guard element.is("enabled", StreamManagement.namespace) else { return nil }
      let isResumable = ["true", "1"].contains(element[attribute: "resume"])
      id = isResumable ? element[attribute: "id"].flatMap { $0.isEmpty || $0.utf8.count > 4000 ? nil : $0 } : nil
      maximum = element[attribute: "max"].flatMap { UInt32($0) }.map { .seconds($0) }
      location = element[attribute: "location"].flatMap { StreamError.OtherHost($0) }
    }
  }

  /// A former stream, for the next one to carry on.
  package struct Resumption: Hashable, Sendable {
    package var id: String
    /// How many of the server's stanzas were handled.
    package var handled: UInt32
    /// The full JID that the stream was bound to, in the server's words.
    package var jid: String

    package init(id: String, handled: UInt32, jid: String) {
      self.id = id
      self.handled = handled
      self.jid = jid
    }
  }

  /// What became of a `Resumption`.
  package enum Continuation: Hashable, Sendable {
    /// The former stream goes on. The server has handled so many of this side's stanzas.
    case resumed(handled: UInt32)
    /// It is over. The server may know how many stanzas it had handled.
    case failed(handled: UInt32?)
  }

  static let enable = XMLElement("enable", namespace: namespace, attributes: ["resume": "true"])
  static let request = XMLElement("r", namespace: namespace)

  static func answer(_ handled: UInt32) -> XMLElement {
    XMLElement("a", namespace: namespace, attributes: ["h": "\(handled)"])
  }

  /// The `h` of an element; nil when it is missing or no count.
  static func handled(_ element: XMLElement) -> UInt32? { element[attribute: "h"].flatMap { UInt32($0) } }
}

extension StreamManagement.Resumption {
  /// - Specification: XEP-0198 §5
  var element: XMLElement {
    XMLElement("resume", namespace: StreamManagement.namespace, attributes: ["h": "\(handled)", "previd": id])
  }
}
