import XMPPCore

/// What a content shows, for contents that their media alone do not tell apart: a face, or the screen.
///
/// - Specification: XEP-0507 §2, RFC 4796 §5
package struct ContentCategory: RawRepresentable, Hashable, Sendable {
  package static let namespace = "urn:xmpp:jingle:apps:category:0"
  /// What a peer lists beyond is dropped.
  package static let maximumCount = 16
  static let maximumNameLength = 64

  /// A token of SDP; ones that are not listed below are as good.
  package let rawValue: String

  /// nil when the name is no token of SDP, or too long.
  ///
  /// - Specification: RFC 8866 §9
  package init?(rawValue: String) {
    guard (1...Self.maximumNameLength).contains(rawValue.utf8.count), rawValue.utf8.allSatisfy(\.isSDPTokenCharacter)
    else { return nil }
    self.rawValue = rawValue
  }

  private init(known name: StaticString) { rawValue = "\(name)" }

  /// Presentation slides, or a shared screen.
  package static let slides = ContentCategory(known: "slides")
  package static let speaker = ContentCategory(known: "speaker")
  package static let signLanguage = ContentCategory(known: "sl")
  package static let main = ContentCategory(known: "main")
  package static let alternative = ContentCategory(known: "alt")
}

extension ContentCategory {
  /// nil when the name is missing or none.
  init?(_ element: XMLElement) {
    self.init(rawValue: element[attribute: "name"] ?? "")
  }

  var element: XMLElement {
    XMLElement("category", namespace: Self.namespace, attributes: ["name": rawValue])
  }
}

extension UInt8 {
  /// Visible ASCII but for the signs that separate SDP's words.
  fileprivate var isSDPTokenCharacter: Bool {
    (0x21...0x7E).contains(self) && !#""(),/:;<=>?@[\]"#.utf8.contains(self)
  }
}
