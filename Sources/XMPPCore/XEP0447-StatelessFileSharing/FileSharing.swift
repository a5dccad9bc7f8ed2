/// A file that somebody shares in a message: what it is, and where it may be had.
///
/// - Specification: XEP-0447 §3
package struct FileSharing: Hashable, Sendable {
  package enum Disposition: String, Hashable, Sendable, CaseIterable {
    /// Not to be fetched before the user says so.
    case attachment
    case inline
  }

  package static let namespace = "urn:xmpp:sfs:0"
  /// Files in one message; what goes beyond is left out.
  package static let maximumFiles = 32

  package var disposition: Disposition?
  /// Tells several files of one message apart.
  package var id: String?
  package var file: FileMetadata
  /// Empty while they are still to come, in a message of their own.
  package var sources: FileSources

  package init(
    file: FileMetadata, sources: FileSources = FileSources(), disposition: Disposition? = nil, id: String? = nil
  ) {
    self.file = file
    self.sources = sources
    self.disposition = disposition
    self.id = id
  }

  /// What a message holds that shares this file, so that all kinds of clients find it: the element itself, and the URL
  /// as text and as out-of-band data for those who do not know it.
  ///
  /// - Specification: XEP-0447 §3.1, XEP-0066 §3
  package var payloads: [XMLElement] {
    guard let url = sources.urls.first else { return [element, MessageHint.store.element] }
    let fallback = XMLElement(
      "fallback", namespace: "urn:xmpp:fallback:0", attributes: ["for": Self.namespace],
      children: [XMLElement("body", namespace: "urn:xmpp:fallback:0")])
    return [
      element, fallback, XMLElement("body", namespace: Stanza.namespace, text: url), OutOfBandData(url: url).element,
    ]
  }
}

/// Where a file may be had.
///
/// - Specification: XEP-0447 §3
package struct FileSources: Hashable, Sendable {
  static let urlNamespace = "http://jabber.org/protocol/url-data"
  /// Sources that go beyond are left out.
  package static let maximumCount = 16

  /// Of any scheme; without a hash to check the file by, only those by TLS may be used.
  package var urls: [String]
  /// Sources of other kinds, such as Jingle's.
  package var others: [XMLElement]

  package init(urls: [String] = [], others: [XMLElement] = []) {
    self.urls = urls
    self.others = others
  }

  package var isEmpty: Bool { urls.isEmpty && others.isEmpty }
  /// The sources that can be fetched by TLS.
  package var httpsURLs: [HTTPSURL] { urls.compactMap { HTTPSURL($0) } }
}

extension Message {
  /// The files that this message shares. One that only out-of-band data tells of has its URL and no metadata.
  package var sharedFiles: [FileSharing] {
    guard type != .error else { return [] }
    let shared = payloads.lazy.filter { $0.is("file-sharing", FileSharing.namespace) }
      .prefix(FileSharing.maximumFiles).compactMap { try? FileSharing($0) }
    if !shared.isEmpty { return Array(shared) }
    // What belongs to an earlier message is no file by itself.
    guard attachedSources == nil, let note = first("x", OutOfBandData.noteNamespace).flatMap({ try? OutOfBandData($0) })
    else { return [] }
    return [FileSharing(file: FileMetadata(), sources: FileSources(urls: [note.url]))]
  }

  /// Sources that come after the message which shared the file: that message's id, the file's own where it has one, and
  /// they themselves. Without hashes, they count only from the sender of the file.
  ///
  /// - Specification: XEP-0447 §3.3
  package var attachedSources: (message: String, file: String?, sources: FileSources)? {
    guard type != .error, let target = first("attach-to", "urn:xmpp:message-attaching:1")?[attribute: "id"],
      let element = first("sources", FileSharing.namespace)
    else { return nil }
    return (target, element[attribute: "id"], FileSources(element))
  }
}

extension FileSharing {
  /// - Throws: when there is no file in it. A disposition that is unknown counts as none.
  package init(_ element: XMLElement) throws(StanzaError) {
    guard element.is("file-sharing", Self.namespace), let file = element.first("file", FileMetadata.namespace) else {
      throw StanzaError(.badRequest, text: "not a shared file")
    }
    disposition = element[attribute: "disposition"].flatMap(Disposition.init)
    id = element[attribute: "id"]
    self.file = try FileMetadata(file)
    sources = element.first("sources", Self.namespace).map { FileSources($0) } ?? FileSources()
  }

  package var element: XMLElement {
    var element = XMLElement("file-sharing", namespace: Self.namespace, children: [file.element])
    element[attribute: "disposition"] = disposition?.rawValue
    element[attribute: "id"] = id
    if !sources.isEmpty { element.append(sources.element()) }
    return element
  }
}

extension FileSources {
  init(_ element: XMLElement) {
    self.init()
    for child in element.children.prefix(Self.maximumCount) {
      if child.is("url-data", Self.urlNamespace) {
        guard let url = child[attribute: "target"], (1...HTTPSURL.maximumLength).contains(url.utf8.count) else {
          continue
        }
        urls.append(url)
      } else {
        others.append(child)
      }
    }
  }

  /// - Parameter id: of the file, in a message of its own about one of several.
  package func element(id: String? = nil) -> XMLElement {
    var element = XMLElement("sources", namespace: FileSharing.namespace)
    element[attribute: "id"] = id
    for url in urls {
      element.append(XMLElement("url-data", namespace: Self.urlNamespace, attributes: ["target": url]))
    }
    for other in others { element.append(other) }
    return element
  }
}
