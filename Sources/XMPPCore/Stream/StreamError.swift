/// A stream error: the last thing that a server says before it closes the stream.
///
/// - Specification: RFC 6120 §4.9
package struct StreamError: Error, Hashable, Sendable, CustomStringConvertible {
  /// - Specification: RFC 6120 §4.9.3
  package enum Condition: String, CaseIterable, Hashable, Sendable {
    case badFormat = "bad-format"
    case badNamespacePrefix = "bad-namespace-prefix"
    case conflict
    case connectionTimeout = "connection-timeout"
    case hostGone = "host-gone"
    case hostUnknown = "host-unknown"
    case improperAddressing = "improper-addressing"
    case internalServerError = "internal-server-error"
    case invalidFrom = "invalid-from"
    case invalidNamespace = "invalid-namespace"
    case invalidXML = "invalid-xml"
    case notAuthorized = "not-authorized"
    case notWellFormed = "not-well-formed"
    case policyViolation = "policy-violation"
    case remoteConnectionFailed = "remote-connection-failed"
    case reset
    case resourceConstraint = "resource-constraint"
    case restrictedXML = "restricted-xml"
    case seeOtherHost = "see-other-host"
    case systemShutdown = "system-shutdown"
    case undefinedCondition = "undefined-condition"
    case unsupportedEncoding = "unsupported-encoding"
    case unsupportedFeature = "unsupported-feature"
    case unsupportedStanzaType = "unsupported-stanza-type"
    case unsupportedVersion = "unsupported-version"
  }

  package var condition: Condition
  /// The server's words for people.
  package var text: String?
  /// Where to go instead, with `see-other-host`.
  package var otherHost: OtherHost?

  package init(_ condition: Condition, text: String? = nil, otherHost: OtherHost? = nil) {
    self.condition = condition
    self.text = text
    self.otherHost = otherHost
  }

  /// Reads `<stream:error>`; a condition that is missing or unknown is `undefined-condition`. Nil for other elements.
  package init?(_ element: XMLElement) {
    guard element.is("error", StreamNamespace.stream) else { return nil }
    let children = element.children.filter { $0.namespace == StreamNamespace.streamErrors }
    let text = children.first { $0.name == "text" }?.text
    for child in children {
      guard let condition = Condition(rawValue: child.name) else { continue }
      self.init(condition, text: text, otherHost: condition == .seeOtherHost ? OtherHost(child.text) : nil)
      return
    }
    self.init(.undefinedCondition, text: text)
  }

  package var description: String {
    condition.rawValue + (text.map { " (\(Printable.shortened($0)))" } ?? "")
  }
}

extension StreamError {
  /// The host, and the port if one was said, of `see-other-host`.
  ///
  /// - Specification: RFC 6120 §4.9.3.19
  package struct OtherHost: Hashable, Sendable {
    package var host: String
    package var port: Int?

    package init(host: String, port: Int?) {
      self.host = host
      self.port = port
    }

    /// Reads `host`, `host:port`, `[IPv6]`, `[IPv6]:port` or a bare IPv6 address.
    package init?(_ text: String) {
      var host = text[...]
      var port: Substring?
      if host.first == "[", let end = host.firstIndex(of: "]") {
        let rest = host[host.index(after: end)...]
        guard rest.isEmpty || rest.first == ":" else { return nil }
        port = rest.isEmpty ? nil : rest.dropFirst()
        host = host[host.index(after: host.startIndex)..<end]
      } else if host.count(where: { $0 == ":" }) == 1, let colon = host.firstIndex(of: ":") {
        port = host[host.index(after: colon)...]
        host = host[..<colon]
      }
      guard !host.isEmpty, host.utf8.count <= 255 else { return nil }
      self.host = String(host)
      guard let port else { return }
      guard let number = UInt16(port), number > 0 else { return nil }
      self.port = Int(number)
    }
  }
}
