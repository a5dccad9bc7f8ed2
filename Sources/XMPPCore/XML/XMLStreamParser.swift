import CExpat

/// Turns the bytes of an XML stream into its header, its top-level elements and its end, however they are cut.
///
/// Everything that XMPP forbids or that has no bound is refused, and a refusal is final: nothing is parsed after
/// `.failed`, until `reset()`. Not Sendable: a parser belongs to whoever reads its connection.
///
/// - Specification: RFC 6120 §11
package final class XMLStreamParser {
  /// What one peer may make us hold.
  package struct Limits: Hashable, Sendable {
    /// Bytes of one top-level element, or of the stream's header.
    package var elementBytes: Int
    /// Levels of elements, counted from the top-level element.
    package var depth: Int
    /// Attributes of one element.
    package var attributes: Int

    package init(elementBytes: Int = 512 * 1024, depth: Int = 64, attributes: Int = 64) {
      self.elementBytes = elementBytes
      self.depth = depth
      self.attributes = attributes
    }
  }

  package enum Event: Hashable, Sendable {
    /// The root element's start tag, as an element without content.
    case opened(XMLElement)
    /// A complete child of the root element.
    case element(XMLElement)
    /// The root element's end tag.
    case closed
    /// The last event: the bytes are not acceptable.
    case failed(XMLStreamError)
  }

  private let limits: Limits
  private let expat: OpaquePointer
  private var events: [Event] = []
  private var failure: XMLStreamError?
  /// Open elements below the root, outermost first.
  private var open: [XMLElement] = []
  private var isRootOpen = false
  /// Character data not yet in `open.last`: expat reports every line by itself.
  private var pendingText: [UInt8] = []
  private var bytesFed = 0
  /// Where the element now arriving began.
  private var elementStart = 0

  package init(limits: Limits = Limits()) {
    self.limits = limits
    guard let expat = XML_ParserCreateNS("UTF-8", XMLStreamParser.separator) else { fatalError("out of memory") }
    self.expat = expat
    installHandlers()
  }

  deinit {
    XML_ParserFree(expat)
  }

  /// Forgets everything, for the new stream that follows TLS or authentication.
  package func reset() {
    XML_ParserReset(expat, "UTF-8")
    installHandlers()
    events = []
    failure = nil
    open = []
    isRootOpen = false
    pendingText = []
    bytesFed = 0
    elementStart = 0
  }

  /// Reads the next bytes and returns what they completed.
  package func parse(_ bytes: UnsafeRawBufferPointer) -> [Event] {
    var rest = bytes[...]
    while failure == nil, !rest.isEmpty {
      let piece = rest.prefix(16 * 1024)
      rest = rest.dropFirst(piece.count)
      feed(UnsafeRawBufferPointer(rebasing: piece))
    }
    defer { events = [] }
    return events
  }

  package func parse(_ text: String) -> [Event] {
    var text = text
    return text.withUTF8 { parse(UnsafeRawBufferPointer($0)) }
  }

  private func feed(_ bytes: UnsafeRawBufferPointer) {
    bytesFed += bytes.count
    let status = XML_Parse(expat, bytes.bindMemory(to: CChar.self).baseAddress, Int32(bytes.count), 0)
    if status != XML_STATUS_ERROR {
      // Bounds what expat holds of an unfinished tag, of which no handler hears.
      if bytesFed - elementStart > limits.elementBytes { fail(.tooLarge(limit: limits.elementBytes)) }
    } else if failure == nil {
      let code = XML_GetErrorCode(expat)
      if code == XML_ERROR_UNDEFINED_ENTITY {
        fail(.restricted(.entity))
      } else {
        fail(.notWellFormed(XML_ErrorString(code).map { String(cString: $0) } ?? "unknown error"))
      }
    }
    if let failure { events.append(.failed(failure)) }
  }

  private func fail(_ error: XMLStreamError) {
    guard failure == nil else { return }
    failure = error
    XML_StopParser(expat, XML_Bool(0))
  }
}

// What expat reports.
extension XMLStreamParser {
  /// Stands between namespace and local name in expat's names; no XML name holds it.
  private static let separator = XML_Char(UInt8(ascii: "|"))

  private func installHandlers() {
    // The parser owns expat's and frees it in deinit, so the pointer is valid whenever a handler runs.
    XML_SetUserData(expat, Unmanaged.passUnretained(self).toOpaque())
    // Otherwise expat may sit on a complete stanza until more bytes come; `limits.elementBytes` bounds the reparsing.
    _ = XML_SetReparseDeferralEnabled(expat, XML_Bool(0))
    XML_SetElementHandler(
      expat,
      { data, name, attributes in
        guard let name, let attributes else { return }
        XMLStreamParser.of(data)?.started(name, attributes)
      },
      { data, _ in XMLStreamParser.of(data)?.ended() })
    XML_SetCharacterDataHandler(expat) { data, text, count in
      guard let text else { return }
      XMLStreamParser.of(data)?.read(UnsafeRawBufferPointer(start: text, count: Int(count)))
    }
    XML_SetStartDoctypeDeclHandler(expat) { data, _, _, _, _ in XMLStreamParser.of(data)?.fail(.restricted(.doctype)) }
    XML_SetEntityDeclHandler(expat) { data, _, _, _, _, _, _, _, _ in
      XMLStreamParser.of(data)?.fail(.restricted(.entity))
    }
    XML_SetProcessingInstructionHandler(expat) { data, _, _ in
      XMLStreamParser.of(data)?.fail(.restricted(.processingInstruction))
    }
    XML_SetCommentHandler(expat) { data, _ in XMLStreamParser.of(data)?.fail(.restricted(.comment)) }
  }

  /// The parser behind a handler's user data, if it still wants to hear: expat may call on after being stopped.
  private static func of(_ data: UnsafeMutableRawPointer?) -> XMLStreamParser? {
    guard let data else { return nil }
    let parser = Unmanaged<XMLStreamParser>.fromOpaque(data).takeUnretainedValue()
    return parser.failure == nil ? parser : nil
  }

  private func started(
    _ name: UnsafePointer<XML_Char>, _ attributes: UnsafeMutablePointer<UnsafePointer<XML_Char>?>
  ) {
    var element = XMLStreamParser.element(named: name)
    var index = 0
    while let key = attributes[index], let value = attributes[index + 1] {
      guard index / 2 < limits.attributes else { return fail(.tooManyAttributes(limit: limits.attributes)) }
      element.attributes[XMLStreamParser.attributeKey(key)] = String(cString: value)
      index += 2
    }
    if isRootOpen {
      guard open.count < limits.depth else { return fail(.tooDeep(limit: limits.depth)) }
      flushText()
      open.append(element)
      checkSize()
    } else {
      isRootOpen = true
      events.append(.opened(element))
      elementStart = positionAfterToken
    }
  }

  private func ended() {
    flushText()
    guard let element = open.popLast() else {
      isRootOpen = false
      elementStart = positionAfterToken
      events.append(.closed)
      return
    }
    if open.isEmpty {
      elementStart = positionAfterToken
      events.append(.element(element))
    } else {
      open[open.count - 1].append(element)
    }
  }

  private func read(_ text: UnsafeRawBufferPointer) {
    guard open.isEmpty else {
      pendingText.append(contentsOf: text)
      return checkSize()
    }
    // Between top-level elements: whitespace keepalives only.
    let isWhitespace = text.allSatisfy { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
    guard isWhitespace else { return fail(.strayText) }
    elementStart = positionAfterToken
  }

  private func flushText() {
    guard !pendingText.isEmpty else { return }
    if !open.isEmpty { open[open.count - 1].nodes.append(.text(String(decoding: pendingText, as: UTF8.self))) }
    pendingText.removeAll(keepingCapacity: true)
  }

  private func checkSize() {
    if positionAfterToken - elementStart > limits.elementBytes { fail(.tooLarge(limit: limits.elementBytes)) }
  }

  private var positionAfterToken: Int {
    Int(XML_GetCurrentByteIndex(expat)) + Int(XML_GetCurrentByteCount(expat))
  }

  private static func element(named name: UnsafePointer<XML_Char>) -> XMLElement {
    let name = String(cString: name)
    guard let bar = name.utf8.lastIndex(of: UInt8(ascii: "|")) else { return XMLElement(name, namespace: "") }
    return XMLElement(String(name.utf8[bar...].dropFirst()) ?? "", namespace: String(name[..<bar]))
  }

  private static func attributeKey(_ key: UnsafePointer<XML_Char>) -> String {
    let key = String(cString: key)
    return key == "http://www.w3.org/XML/1998/namespace|lang" ? "xml:lang" : key
  }
}
