/// What is said of a file. All of it is a stranger's word, the name above all: it is not fit for a file system.
///
/// - Specification: XEP-0446 §2
package struct FileMetadata: Hashable, Sendable {
  package struct Text: Hashable, Sendable {
    package var language: String?
    package var text: String

    package init(_ text: String, language: String? = nil) {
      self.text = text
      self.language = language
    }
  }

  package static let namespace = "urn:xmpp:file:metadata:0"
  /// What goes beyond is left out: hashes, thumbnails and descriptions each, and a text's UTF-8 bytes.
  package static let maximumCount = 16
  package static let maximumTextLength = 4096

  package var name: String?
  package var mediaType: String?
  /// In bytes.
  package var size: UInt64?
  /// When the file was changed last, since 1970.
  package var date: Duration?
  package var descriptions: [Text]
  /// In pixels.
  package var width: UInt32?
  package var height: UInt32?
  /// How long sound or pictures last.
  package var length: Duration?
  /// Elements of XEP-0300.
  package var hashes: [XMLElement]
  /// Elements of XEP-0264.
  package var thumbnails: [XMLElement]

  package init(
    name: String? = nil, mediaType: String? = nil, size: UInt64? = nil, date: Duration? = nil,
    descriptions: [Text] = [], width: UInt32? = nil, height: UInt32? = nil, length: Duration? = nil,
    hashes: [XMLElement] = [], thumbnails: [XMLElement] = []
  ) {
    self.name = name
    self.mediaType = mediaType
    self.size = size
    self.date = date
    self.descriptions = descriptions
    self.width = width
    self.height = height
    self.length = length
    self.hashes = hashes
    self.thumbnails = thumbnails
  }
}

extension FileMetadata {
  private static let hashNamespace = "urn:xmpp:hashes:2"
  private static let thumbnailNamespace = "urn:xmpp:thumbs:1"

  /// What is malformed counts as not said.
  package init(_ element: XMLElement) throws(StanzaError) {
    guard element.is("file", Self.namespace) else { throw StanzaError(.badRequest, text: "not a file's metadata") }
    self.init()
    for child in element.children {
      switch (child.name, child.namespace) {
      case ("name", Self.namespace): name = name ?? Self.text(child)
      case ("media-type", Self.namespace): mediaType = mediaType ?? Self.text(child)
      case ("size", Self.namespace): size = size ?? UInt64(decimal: child.text)
      case ("date", Self.namespace): date = date ?? DateTime.parse(child.text)
      case ("width", Self.namespace): width = width ?? UInt32(decimal: child.text)
      case ("height", Self.namespace): height = height ?? UInt32(decimal: child.text)
      case ("length", Self.namespace): length = length ?? UInt32(decimal: child.text).map { .milliseconds(Int64($0)) }
      case ("desc", Self.namespace) where descriptions.count < Self.maximumCount:
        if let text = Self.text(child) { descriptions.append(Text(text, language: child[attribute: "xml:lang"])) }
      case ("hash", Self.hashNamespace) where hashes.count < Self.maximumCount: hashes.append(child)
      case ("thumbnail", Self.thumbnailNamespace) where thumbnails.count < Self.maximumCount: thumbnails.append(child)
      default: break
      }
    }
  }

  package var element: XMLElement {
    var element = XMLElement("file", namespace: Self.namespace)
    func append(_ name: String, _ text: String?, language: String? = nil) {
      guard let text else { return }
      var child = XMLElement(name, namespace: Self.namespace, text: text)
      child[attribute: "xml:lang"] = language
      element.append(child)
    }
    append("media-type", mediaType)
    append("name", name)
    append("date", date.map(DateTime.format))
    append("size", size.map { String($0) })
    append("width", width.map { String($0) })
    append("height", height.map { String($0) })
    append(
      "length", length.map { String($0.components.seconds * 1000 + $0.components.attoseconds / 1_000_000_000_000_000) })
    for hash in hashes { element.append(hash) }
    for description in descriptions { append("desc", description.text, language: description.language) }
    for thumbnail in thumbnails { element.append(thumbnail) }
    return element
  }

  private static func text(_ element: XMLElement) -> String? {
    let text = element.text
    return (1...maximumTextLength).contains(text.utf8.count) ? text : nil
  }
}
