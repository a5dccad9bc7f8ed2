package import XMPPCore

/// A file that is offered, or that is asked for by some of this.
///
/// - Specification: XEP-0234 §5
package struct FileDescription: Hashable, Sendable {
  package static let namespace = "urn:xmpp:jingle:apps:file-transfer:5"
  /// For disco#info.
  package static let features = [namespace]
  /// Descriptions in more languages than these are dropped.
  static let maximumDescriptions = 8
  /// The longest name or description that is kept of a peer's, in Unicode scalars.
  package static let maximumTextLength = 1024

  /// As the peer writes it: see `SafeFileName` before it comes near a file system.
  package var name: String?
  /// In bytes.
  package var size: Int64?
  /// When the file was last changed: since 1 January 1970 UTC, in whole milliseconds.
  package var date: Duration?
  package var mediaType: String?
  package var descriptions: [Text]
  /// Of the whole file. Functions that are only announced have their values told by `FileInfo.checksum`.
  package var hashes: Hashes
  /// Ranged transfers are understood; with an offset or length, only this part is meant.
  package var range: Range?
  package var thumbnails: [Thumbnail]

  package init(
    name: String? = nil, size: Int64? = nil, date: Duration? = nil, mediaType: String? = nil,
    descriptions: [Text] = [], hashes: Hashes = Hashes(), range: Range? = nil, thumbnails: [Thumbnail] = []
  ) {
    self.name = name
    self.size = size
    self.date = date?.wholeMilliseconds
    self.mediaType = mediaType
    self.descriptions = descriptions
    self.hashes = hashes
    self.range = range
    self.thumbnails = thumbnails
  }

  /// Words about the file, for people.
  package struct Text: Hashable, Sendable {
    package var language: String?
    package var text: String

    package init(_ text: String, language: String? = nil) {
      self.text = text
      self.language = language
    }

    /// Whether it is in the language of another: there is to be one text a language.
    ///
    /// - Specification: RFC 4647 §2
    fileprivate func isInLanguage(of other: Text) -> Bool { language?.lowercased() == other.language?.lowercased() }
  }

  /// Part of a file: with neither offset nor length it is all of it, and says only that ranges are understood.
  ///
  /// - Specification: XEP-0234 §5, §6.4
  package struct Range: Hashable, Sendable {
    /// Where the part begins; the beginning when it is not said.
    package var offset: Int64?
    /// How long it is; to the end when it is not said.
    package var length: Int64?
    /// Of the part alone.
    package var hashes: Hashes

    package init(offset: Int64? = nil, length: Int64? = nil, hashes: Hashes = Hashes()) {
      self.offset = offset
      self.length = length
      self.hashes = hashes
    }

    package var isExplicit: Bool { offset != nil || length != nil }
  }
}

extension FileDescription {
  /// Reads a `description`. What people read is lenient; what bytes are counted by is not.
  ///
  /// - Throws: `bad-request` when there is not exactly one file, or its size or range are no numbers.
  package init(_ element: XMLElement) throws(StanzaError) {
    let files = element.all("file", Self.namespace)
    guard files.count == 1 else { throw .badRequest("\(files.count) files in a description") }
    try self.init(file: files[0])
  }

  /// Reads a `file`.
  init(file element: XMLElement) throws(StanzaError) {
    self.init(hashes: Hashes(in: element))
    var mediaTypes: [String: String] = [:]
    for child in element.children {
      if child.is("thumbnail", Thumbnail.namespace) {
        if thumbnails.count < Thumbnail.maximumCount, let thumbnail = Thumbnail(child) { thumbnails.append(thumbnail) }
        continue
      }
      guard child.namespace == Self.namespace else { continue }
      switch child.name {
      case "name" where name == nil:
        name = child.text.isEmpty ? nil : child.text.cut(to: Self.maximumTextLength)
      case "size":
        guard size == nil else { throw .badRequest("a file has two sizes") }
        size = try Self.bytes(child.text, "size")
      case "date" where date == nil: date = Self.date(child.text)
      case "media-type", "mediaType":  // The latter is Conversations'.
        mediaTypes[child.name] = mediaTypes[child.name] ?? MediaType.checked(child.text)
      case "desc" where !child.text.isEmpty && descriptions.count < Self.maximumDescriptions:
        let language = child[attribute: "xml:lang"].flatMap { Jingle.isName($0) ? $0 : nil }
        let text = Text(child.text.cut(to: Self.maximumTextLength), language: language)
        if !descriptions.contains(where: text.isInLanguage(of:)) { descriptions.append(text) }
      case "range":
        guard range == nil else { throw .badRequest("a file has two ranges") }
        range = try Range(child)
      default: break
      }
    }
    mediaType = mediaTypes["media-type"] ?? mediaTypes["mediaType"]
  }

  package var element: XMLElement {
    XMLElement("description", namespace: Self.namespace, children: [fileElement])
  }

  var fileElement: XMLElement {
    func child(_ name: String, _ text: String) -> XMLElement {
      XMLElement(name, namespace: Self.namespace, text: text)
    }
    var element = XMLElement("file", namespace: Self.namespace)
    if let date { element.append(child("date", DateTime.format(date))) }
    for (index, text) in descriptions.enumerated()
    where !text.text.isEmpty && !descriptions[..<index].contains(where: text.isInLanguage(of:)) {
      var description = child("desc", text.text)
      description[attribute: "xml:lang"] = text.language
      element.append(description)
    }
    if let mediaType { element.append(child("media-type", mediaType)) }
    if let name { element.append(child("name", name)) }
    if let range { element.append(range.element) }
    if let size { element.append(child("size", "\(size)")) }
    for hash in hashes.elements { element.append(hash) }
    for thumbnail in thumbnails { element.append(thumbnail.element) }
    return element
  }

  /// Gajim 1.7 writes the offset from UTC and a `Z` after it.
  private static func date(_ text: String) -> Duration? {
    guard text.utf8.count <= 64 else { return nil }
    let trimmed = text.trimmed
    let time = DateTime.parse(trimmed) ?? (trimmed.hasSuffix("Z") ? DateTime.parse(String(trimmed.dropLast())) : nil)
    return time?.wholeMilliseconds
  }

  static func bytes(_ text: String, _ what: String) throws(StanzaError) -> Int64 {
    let trimmed = text.trimmed
    guard trimmed.utf8.count <= 19, trimmed.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let count = Int64(trimmed)
    else { throw .badRequest("a file's \(what) is no number of bytes") }
    return count
  }
}

extension FileDescription.Range {
  init(_ element: XMLElement) throws(StanzaError) {
    self.init(hashes: Hashes(in: element))
    if let text = element[attribute: "offset"] { offset = try FileDescription.bytes(text, "offset") }
    if let text = element[attribute: "length"] { length = try FileDescription.bytes(text, "length") }
  }

  var element: XMLElement {
    var element = XMLElement("range", namespace: FileDescription.namespace, children: hashes.elements)
    element[attribute: "offset"] = offset.map { "\($0)" }
    element[attribute: "length"] = length.map { "\($0)" }
    return element
  }
}

extension String {
  /// Without white space around it.
  fileprivate var trimmed: String {
    String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
  }
}

extension Duration {
  fileprivate var wholeMilliseconds: Duration {
    let (seconds, attoseconds) = components
    return .seconds(seconds) + .milliseconds(attoseconds / 1_000_000_000_000_000)
  }
}
