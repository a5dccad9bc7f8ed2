/// Where a small picture of something offered is to be had.
///
/// - Specification: XEP-0264 §4
package struct Thumbnail: Hashable, Sendable {
  package static let namespace = "urn:xmpp:thumbs:1"
  /// What a peer lists beyond is dropped.
  package static let maximumCount = 8
  static let maximumLength = 2048

  /// A URI with the scheme `cid` (see `BitsOfBinary`), `https` or `http`.
  package let uri: String
  package let mediaType: String?
  /// In pixels, as the peer says; nothing is to be allocated by it.
  package let width: UInt16?
  package let height: UInt16?

  /// nil when it is no URI of those that a thumbnail may have.
  package init?(uri: String, mediaType: String? = nil, width: UInt16? = nil, height: UInt16? = nil) {
    guard
      uri.utf8.count <= Self.maximumLength, uri.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
      let colon = uri.firstIndex(of: ":"), ["cid", "https", "http"].contains(uri[..<colon].lowercased()),
      uri.index(after: colon) < uri.endIndex
    else { return nil }
    self.uri = uri
    self.mediaType = mediaType
    self.width = width
    self.height = height
  }

  /// The data's name, if XEP-0231 is the way to ask for it.
  package var contentID: BitsOfBinary.ContentID? { BitsOfBinary.ContentID(uri: uri) }
}

extension Thumbnail {
  /// nil when there is no URI that can be used. Other attributes that are malformed are left out.
  package init?(_ element: XMLElement) {
    guard element.is("thumbnail", Self.namespace), let uri = element[attribute: "uri"] else { return nil }
    func pixels(_ name: String) -> UInt16? {
      element[attribute: name].flatMap { $0.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt16($0) : nil }
    }
    self.init(
      uri: uri, mediaType: MediaType.checked(element[attribute: "media-type"]), width: pixels("width"),
      height: pixels("height"))
  }

  package var element: XMLElement {
    var element = XMLElement("thumbnail", namespace: Self.namespace, attributes: ["uri": uri])
    element[attribute: "media-type"] = mediaType
    element[attribute: "width"] = width.map { "\($0)" }
    element[attribute: "height"] = height.map { "\($0)" }
    return element
  }
}
