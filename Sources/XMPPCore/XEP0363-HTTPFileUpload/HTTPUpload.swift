/// A place on a web server to put a file, which a service of the account's server hands out.
///
/// - Specification: XEP-0363 §3, §4, §6
package enum HTTPUpload {
  package static let namespace = "urn:xmpp:http:upload:0"
  package static let purposeNamespace = "urn:xmpp:http:upload:purpose:0"

  /// Who hands out places.
  package struct Service: Hashable, Sendable {
    package var jid: JID
    /// In bytes; nil when the service says nothing of a limit.
    package var maximumFileSize: UInt64?

    package init(jid: JID, maximumFileSize: UInt64? = nil) {
      self.jid = jid
      self.maximumFileSize = maximumFileSize
    }

    /// nil when the entity that answers so is no such service.
    ///
    /// - Specification: XEP-0363 §3, XEP-0128 §2
    package init?(_ jid: JID, info: DiscoInfo) {
      guard info.supports(namespace) else { return nil }
      self.jid = jid
      let form = info.forms.first { $0.formType?.values == [namespace] }
      let limit = form?.fields.first { $0.name == "max-file-size" }?.values.first.flatMap(UInt64.init(decimal:))
      // Nothing at all can be meant by no service: so a nought stands for no limit.
      maximumFileSize = limit == 0 ? nil : limit
    }

    /// Whether it is worth to ask for a place for that many bytes.
    package func takes(_ size: UInt64) -> Bool { maximumFileSize.map { size <= $0 } ?? true }
  }

  /// Asks for a place, in an iq of type get.
  package struct Request: Hashable, Sendable {
    package var fileName: String
    /// In bytes; the upload must have exactly as many.
    package var size: UInt64
    package var contentType: String?

    package init(fileName: String, size: UInt64, contentType: String? = nil) {
      self.fileName = fileName
      self.size = size
      self.contentType = contentType
    }

    package var element: XMLElement {
      var element = XMLElement(
        "request", namespace: namespace, attributes: ["filename": fileName, "size": String(size)])
      element[attribute: "content-type"] = contentType
      return element
    }
  }

  /// The place: where to put the file, and where it can be fetched from then.
  package struct Slot: Hashable, Sendable {
    package struct Header: Hashable, Sendable {
      package var name: String
      /// May be a password: not for logs.
      package var value: String

      package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
      }
    }

    package var put: HTTPSURL
    /// What the request must carry beside length and type, in this order.
    package var headers: [Header]
    /// For those who shall fetch the file.
    package var get: HTTPSURL

    package init(put: HTTPSURL, headers: [Header] = [], get: HTTPSURL) {
      self.put = put
      self.headers = headers
      self.get = get
    }
  }

  /// Why there is no place.
  package enum Refusal: Hashable, Sendable {
    /// The most bytes that are taken, where the service says it.
    case fileTooLarge(maximum: UInt64?)
    /// Too much or too often. The time to try again, since 1970, where the service says it.
    case quotaReached(retry: Duration?)
    case notAllowed
    /// Anything else; the error itself tells more.
    case other

    /// - Specification: XEP-0363 §6
    package init(_ error: StanzaError) {
      switch (error.application?.namespace, error.application?.name) {
      case (namespace, "file-too-large"):
        let limit = error.application?.first("max-file-size", namespace)?.text
        self = .fileTooLarge(maximum: limit.flatMap(UInt64.init(decimal:)))
      case (namespace, "retry"):
        self = .quotaReached(retry: error.application?[attribute: "stamp"].flatMap(DateTime.parse))
      default:
        switch error.condition {
        case .resourceConstraint: self = .quotaReached(retry: nil)
        case .forbidden, .notAllowed, .notAuthorized, .registrationRequired: self = .notAllowed
        default: self = .other
        }
      }
    }
  }
}

extension HTTPUpload.Slot {
  /// The only headers that a service may set. Others are left out.
  static let allowedHeaders = ["Authorization", "Cookie", "Expires"]
  /// More, or longer ones in UTF-8 bytes, belong to no real service.
  static let maximumHeaders = 32
  static let maximumHeaderLength = 8192

  /// - Throws: `not-acceptable` when the place is none that can be used: without both URLs, or not by TLS.
  package init(_ element: XMLElement) throws(StanzaError) {
    let namespace = HTTPUpload.namespace
    guard element.is("slot", namespace) else { throw StanzaError(.badRequest, text: "not an upload slot") }
    guard let put = element.first("put", namespace), let get = element.first("get", namespace) else {
      throw StanzaError(.notAcceptable, text: "an upload slot without its addresses")
    }
    // Early drafts, which some services still follow, had the address as text.
    guard let putURL = HTTPSURL(put[attribute: "url"] ?? put.text),
      let getURL = HTTPSURL(get[attribute: "url"] ?? get.text)
    else { throw StanzaError(.notAcceptable, text: "an upload slot whose addresses are no https URLs") }
    headers = []
    for child in put.all("header", namespace) {
      guard let given = child[attribute: "name"].map(Self.oneLine)?.lowercased(),
        let name = Self.allowedHeaders.first(where: { $0.lowercased() == given })
      else { continue }
      let value = Self.oneLine(child.text)
      guard headers.count < Self.maximumHeaders, value.utf8.count <= Self.maximumHeaderLength else {
        throw StanzaError(.notAcceptable, text: "an upload slot with too many or too long headers")
      }
      headers.append(Header(name, value))
    }
    self.put = putURL
    self.get = getURL
  }

  package var element: XMLElement {
    let namespace = HTTPUpload.namespace
    let fields = headers.map {
      XMLElement("header", namespace: namespace, attributes: ["name": $0.name], text: $0.value)
    }
    return XMLElement(
      "slot", namespace: namespace,
      children: [
        XMLElement("put", namespace: namespace, attributes: ["url": put.description], children: fields),
        XMLElement("get", namespace: namespace, attributes: ["url": get.description]),
      ])
  }

  /// Without line breaks and other control characters, with which a header would become two.
  private static func oneLine(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }))
      .trimming(" ")
  }
}

extension String {
  fileprivate func trimming(_ character: Character) -> String {
    var text = self[...].drop { $0 == character }
    while text.last == character { text.removeLast() }
    return String(text)
  }
}
