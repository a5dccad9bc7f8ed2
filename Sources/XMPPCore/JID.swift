/// An XMPP address, prepared: `localpart@domainpart/resourcepart`.
///
/// - Specification: RFC 7622 §3
public struct JID: Hashable, Sendable, CustomStringConvertible {
  /// The account's name, or nil for a server or component.
  public let localpart: String?
  public let domainpart: String
  /// The device's name, or nil in a bare JID.
  public let resourcepart: String?

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
}
