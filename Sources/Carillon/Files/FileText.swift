/// Words about a file, for people, in one language.
public struct FileText: Sendable, Hashable {
  public var text: String
  /// A language tag, such as `de` or `pt-BR`; nil when it is not said. A peer's is whatever the peer wrote.
  public var language: String?

  public init(_ text: String, language: String? = nil) {
    self.text = text
    self.language = language
  }
}

extension [FileText] {
  /// The words to show to who reads these languages, best first: those in one of them, or in a form of it (for `de-AT`, `de`
  /// and then any other German); else those without a language, else the first.
  ///
  /// - Parameter languages: language tags.
  /// - Specification: RFC 4647 §3.4
  func preferred(in languages: [String]) -> String? {
    let tagged = compactMap { text in text.language.map { (tag: $0.lowercased(), text: text.text) } }
    for language in languages {
      var range = language.lowercased().split(separator: "-")
      while !range.isEmpty {
        let wanted = range.joined(separator: "-")
        if let found = tagged.first(where: { $0.tag == wanted }) { return found.text }
        range.removeLast()
        // A single letter only announces what follows it.
        if range.last?.count == 1 { range.removeLast() }
      }
      let primary = language.lowercased().prefix { $0 != "-" } + "-"
      if let found = tagged.first(where: { $0.tag.hasPrefix(primary) }) { return found.text }
    }
    return (first { $0.language == nil } ?? first)?.text
  }
}
