/// One medium of a running call: a Jingle content.
public struct CallContent: Hashable, Sendable {
  /// Unique in the call, and never used again in it.
  public let name: String
  public let kind: MediaKind
  /// What its sender says that it is; empty when nothing is said.
  public var categories: Set<Category>
  /// Whether this side may send it, and the peer wants it.
  public var sends: Bool
  /// Whether the peer may send it, and this side wants it.
  public var receives: Bool

  init(name: String, kind: MediaKind, categories: Set<Category> = [], sends: Bool, receives: Bool) {
    self.name = name
    self.kind = kind
    self.categories = categories
    self.sends = sends
    self.receives = receives
  }

  /// What a medium is, where there are several of one kind.
  ///
  /// - Specification: XEP-0507, RFC 4796 §5
  public enum Category: String, Hashable, Sendable, CaseIterable {
    /// A presentation or a shared screen.
    case slides
    /// The picture of who speaks.
    case speaker
    case signLanguage = "sl"
    case main
    case alternative = "alt"
  }
}
