package import XMPPCore

/// Contents of a session that belong together, by name.
///
/// - Specification: XEP-0338 §2, RFC 5888 §5
package struct ContentGroup: Hashable, Sendable {
  package static let namespace = "urn:xmpp:jingle:apps:grouping:0"
  /// What a client that groups says of itself in disco (XEP-0338 §3).
  package static let feature = "urn:ietf:rfc:5888"
  /// What a peer lists beyond is dropped.
  package static let maximumCount = 16

  package var semantics: Semantics
  /// In order, without repetition. The first of a bundle gives its transport to all.
  package var contents: [String]

  package init(_ semantics: Semantics, _ contents: [String]) {
    self.semantics = semantics
    self.contents = contents
  }

  package struct Semantics: RawRepresentable, Hashable, Sendable {
    package var rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }

    /// One transport carries all (RFC 9143).
    package static let bundle = Semantics(rawValue: "BUNDLE")
    /// They are played in sync.
    package static let lipSync = Semantics(rawValue: "LS")
  }

  /// What an answer says of this group when it accepts these contents; nil when none of them is in it.
  ///
  /// - Specification: RFC 5888 §9
  package func restricted(to accepted: some Sequence<String>) -> ContentGroup? {
    let kept = contents.filter(Set(accepted).contains)
    return kept.isEmpty ? nil : ContentGroup(semantics, kept)
  }
}

extension ContentGroup {
  /// nil when the semantics or a name is missing or none, or nothing is grouped.
  init?(_ element: XMLElement) {
    guard let semantics = element.token("semantics", upTo: 64) else { return nil }
    self.init(Semantics(rawValue: semantics), [])
    for content in element.all("content", Self.namespace) {
      guard let name = content[attribute: "name"], Jingle.isName(name), contents.count < Jingle.maximumContents else {
        return nil
      }
      if !contents.contains(name) { contents.append(name) }
    }
    if contents.isEmpty { return nil }
  }

  var element: XMLElement {
    XMLElement(
      "group", namespace: Self.namespace, attributes: ["semantics": semantics.rawValue],
      children: contents.map { XMLElement("content", namespace: Self.namespace, attributes: ["name": $0]) })
  }
}

extension Jingle {
  /// - Throws: `bad-request` when a group of this offer has a content that is not offered, or a content is in two bundles.
  /// - Specification: XEP-0338 §2, RFC 9143 §7
  package func checkGroups() throws(StanzaError) {
    let offered = Set(contents.map(\.name))
    for group in groups {
      for name in group.contents where !offered.contains(name) {
        throw .badRequest("\(group.semantics.rawValue) has content \(name), which is not offered")
      }
    }
    try checkBundles()
  }

  /// The groups that are agreed on: those of this answer, without contents that it does not accept.
  ///
  /// - Throws: `not-acceptable` when a group of this answer is no part of one that was offered, `bad-request` when a
  ///   content is in two bundles.
  /// - Specification: RFC 5888 §9, RFC 9143 §7.3
  package func groups(answering offered: [ContentGroup]) throws(StanzaError) -> [ContentGroup] {
    try checkBundles()
    for group in groups {
      let isOffered = offered.contains {
        $0.semantics == group.semantics && Set($0.contents).isSuperset(of: group.contents)
      }
      if !isOffered { throw .notAcceptable("a group \(group.semantics.rawValue) was accepted but not offered") }
    }
    return groups.compactMap { $0.restricted(to: contents.map(\.name)) }
  }

  func checkBundles() throws(StanzaError) {
    var bundled: Set<String> = []
    for name in groups.filter({ $0.semantics == .bundle }).flatMap(\.contents) {
      guard bundled.insert(name).inserted else { throw .badRequest("content \(name) is in two bundles") }
    }
  }
}

extension RTPDescription {
  /// Whether the packets of both can be told apart on one transport: no number means two things, and no source is in both.
  ///
  /// - Specification: RFC 9143 §9.1.1, §12
  package func canBeBundled(with other: RTPDescription) -> Bool {
    let payloadTypesAgree = payloadTypes.allSatisfy { ours in
      other.payloadTypes.allSatisfy { $0.id != ours.id || $0.isSameEncoding(as: ours) }
    }
    let extensionsAgree = headerExtensions.allSatisfy { ours in
      other.headerExtensions.allSatisfy {
        ours.isPlaceholder || $0.isPlaceholder || ($0.id == ours.id) == ($0.uri == ours.uri)
      }
    }
    return payloadTypesAgree && extensionsAgree
      && Set(sources.map(\.ssrc)).isDisjoint(with: other.sources.map(\.ssrc))
  }
}
