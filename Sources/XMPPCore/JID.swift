/// An XMPP address, prepared: `localpart@domainpart/resourcepart`.
///
/// Two addresses are equal when their prepared forms are, so `Alice@Example.ORG.` equals `alice@example.org`.
///
/// - Specification: RFC 7622 §3
public struct JID: Hashable, Sendable, CustomStringConvertible {
  /// The account's name, or nil for a server or component.
  public let localpart: String?
  public let domainpart: String
  /// The device's name, or nil in a bare JID.
  public let resourcepart: String?

  /// Reads and prepares an address.
  ///
  /// - Throws: `JIDError`, which names the part that is wrong and why.
  /// - Specification: RFC 7622 §3.1 (the order of splitting), §3.2 to §3.4 (the parts)
  public init(_ string: String) throws(JIDError) {
    // Scalars, not characters: a combining mark after a separator does not hide it.
    var rest = string.unicodeScalars[...]
    var resource: Substring.UnicodeScalarView?
    if let slash = rest.firstIndex(of: "/") {
      resource = rest[rest.index(after: slash)...]
      rest = rest[..<slash]
    }
    var local: Substring.UnicodeScalarView?
    if let at = rest.firstIndex(of: "@") {
      local = rest[..<at]
      rest = rest[rest.index(after: at)...]
    }
    domainpart = try Self.prepare(.domainpart, rest, Self.preparedDomainpart)
    localpart = if let local { try Self.prepare(.localpart, local, Self.preparedLocalpart) } else { nil }
    resourcepart = if let resource { try Self.prepare(.resourcepart, resource, Self.preparedResourcepart) } else { nil }
  }

  /// An address from parts that are prepared already.
  package init(localpart: String?, domainpart: String, resourcepart: String?) {
    self.localpart = localpart
    self.domainpart = domainpart
    self.resourcepart = resourcepart
  }

  /// The address without its resource.
  public var bare: JID { JID(localpart: localpart, domainpart: domainpart, resourcepart: nil) }

  public var isBare: Bool { resourcepart == nil }

  public var description: String {
    (localpart.map { $0 + "@" } ?? "") + domainpart + (resourcepart.map { "/" + $0 } ?? "")
  }

  /// The server's own address: the domain without account and resource.
  package var domain: JID { JID(localpart: nil, domainpart: domainpart, resourcepart: nil) }

  /// This account with another resource.
  package func with(resource: String) throws(JIDError) -> JID {
    let prepared = try Self.prepare(.resourcepart, resource.unicodeScalars[...], Self.preparedResourcepart)
    return JID(localpart: localpart, domainpart: domainpart, resourcepart: prepared)
  }

  /// The octets that a part may have once it is prepared.
  package static let partLengths = 1...1023

  private static func prepare(
    _ part: JIDError.Part, _ scalars: Substring.UnicodeScalarView,
    _ preparation: (Substring) throws(JIDError) -> String
  ) throws(JIDError) -> String {
    let text = Substring(scalars)
    guard !text.isEmpty else { throw JIDError(part, .empty) }
    // Preparation shortens a string to a third at most (a full-width letter becomes an ASCII one), so what is longer
    // than this is refused before any work is done on it.
    guard text.utf8.count <= 3 * partLengths.upperBound else { throw JIDError(part, .tooLong) }
    let prepared = try preparation(text)
    guard !prepared.isEmpty else { throw JIDError(part, .empty) }
    guard partLengths.contains(prepared.utf8.count) else { throw JIDError(part, .tooLong) }
    return prepared
  }
}

/// Why a string is not an XMPP address.
public struct JIDError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The part of the address that is wrong.
  public enum Part: String, Hashable, Sendable {
    case localpart, domainpart, resourcepart
  }

  /// What is wrong with it.
  public enum Reason: Hashable, Sendable {
    /// Nothing stands where the part should.
    case empty
    /// The part has more than 1023 octets.
    case tooLong
    /// The part contains a character that it may not.
    case forbidden(Unicode.Scalar)
    /// The resource begins with a space.
    case leadingSpace
    /// A label of the domain is empty, longer than 63 characters, or begins or ends with a hyphen.
    case malformedLabel(String)
    /// Something in brackets that is no IPv6 address.
    case malformedIPv6Address
  }

  public let part: Part
  public let reason: Reason

  package init(_ part: Part, _ reason: Reason) {
    self.part = part
    self.reason = reason
  }

  public var description: String {
    let name =
      switch part {
      case .localpart: "the account's name (before the @)"
      case .domainpart: "the domain"
      case .resourcepart: "the resource (after the /)"
      }
    return switch reason {
    case .empty: "\(name) is empty"
    case .tooLong: "\(name) is longer than 1023 bytes"
    case .forbidden(let scalar): "\(name) must not contain \(Self.show(scalar))"
    case .leadingSpace: "\(name) must not begin with a space"
    case .malformedLabel(""): "\(name) has an empty label (two dots in a row, or one at the start)"
    case .malformedLabel(let label): "\(name) has a label that no domain can have: \(label.debugDescription)"
    case .malformedIPv6Address: "\(name) is no IPv6 address"
    }
  }

  /// The character as it may safely be printed, and its code point.
  private static func show(_ scalar: Unicode.Scalar) -> String {
    let hex = String(scalar.value, radix: 16, uppercase: true)
    let code = "U+" + String(repeating: "0", count: max(0, 4 - hex.count)) + hex
    return (0x21...0x7E).contains(scalar.value) ? "'\(scalar)' (\(code))" : code
  }
}
