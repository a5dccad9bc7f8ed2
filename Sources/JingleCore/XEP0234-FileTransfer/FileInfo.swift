package import XMPPCore

/// News about a file under way, carried by `session-info`.
///
/// - Specification: XEP-0234 §8
package enum FileInfo: Hashable, Sendable {
  package static let namespace = FileDescription.namespace

  /// The sender's hashes: of the whole file, and of the part that was asked for.
  case checksum(Content, Hashes, range: FileDescription.Range? = nil)
  /// The receiver has all that it asked for.
  case received(Content)

  /// Which file; a session may have several. The creator is no more reliable than elsewhere.
  package struct Content: Hashable, Sendable {
    package var creator: Jingle.Party?
    package var name: String?

    package init(creator: Jingle.Party? = nil, name: String? = nil) {
      self.creator = creator
      self.name = name
    }
  }

  package var content: Content {
    switch self {
    case .checksum(let content, _, _), .received(let content): content
    }
  }

  /// nil when the element is neither, is malformed, or names what cannot be a content.
  package init?(_ element: XMLElement) {
    guard element.namespace == Self.namespace else { return nil }
    let content = Content(
      creator: element[attribute: "creator"].flatMap(Jingle.Party.init), name: element[attribute: "name"])
    if let name = content.name, !Jingle.isName(name) { return nil }
    switch element.name {
    case "received": self = .received(content)
    case "checksum":
      guard let child = element.first("file", Self.namespace), let file = try? FileDescription(file: child) else {
        return nil
      }
      self = .checksum(content, file.hashes, range: file.range)
    default: return nil
    }
  }

  package var element: XMLElement {
    var element: XMLElement
    switch self {
    case .checksum(_, let hashes, let range):
      element = XMLElement(
        "checksum", namespace: Self.namespace,
        children: [FileDescription(hashes: hashes, range: range).fileElement])
    case .received:
      element = XMLElement("received", namespace: Self.namespace)
    }
    element[attribute: "creator"] = content.creator?.rawValue
    element[attribute: "name"] = content.name
    return element
  }
}

/// What stands beside a reason, when a file is the reason.
///
/// - Specification: XEP-0234 §9
package enum FileTransferError: String, Hashable, Sendable {
  package static let namespace = "urn:xmpp:jingle:apps:file-transfer:errors:0"

  case fileNotAvailable = "file-not-available"
  case fileTooLarge = "file-too-large"

  package init?(_ element: XMLElement) {
    guard element.namespace == Self.namespace else { return nil }
    self.init(rawValue: element.name)
  }

  package var element: XMLElement { XMLElement(rawValue, namespace: Self.namespace) }
}

extension Jingle.Reason {
  /// What a request is answered with that asks for no file that there is, or for one that the peer may not have.
  package static let fileNotAvailable = Jingle.Reason(
    .failedApplication, application: FileTransferError.fileNotAvailable.element)
  /// There is no room for the file, or more comes than was offered.
  package static let fileTooLarge = Jingle.Reason(.mediaError, application: FileTransferError.fileTooLarge.element)

  /// The file transfer's condition, if there is one.
  package var fileTransfer: FileTransferError? { application.flatMap(FileTransferError.init) }
}
