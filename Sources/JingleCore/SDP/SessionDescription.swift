/// A session as SDP describes it: its lines by section, not yet understood.
///
/// What calls do not use (`i=`, `u=`, `e=`, `p=`, `k=`, `r=`, `z=`, and `c=`, which ICE makes idle) is read over.
///
/// - Specification: RFC 8866 §5
package struct SessionDescription: Sendable {
  /// A longer text, in UTF-8 bytes, is refused, as is one with more lines or a longer line.
  package static let maximumLength = 1 << 20
  package static let maximumLines = 16_384
  package static let maximumLineLength = 16_384
  /// More m-lines than this are refused: as many as Jingle has contents.
  package static let maximumMedia = Jingle.maximumContents

  /// The `o=` line's session id and version: decimal numbers.
  package var id: String
  package var version: String
  package var attributes: [Attribute]
  package var media: [Media]

  package init(id: String, version: String, attributes: [Attribute] = [], media: [Media] = []) {
    self.id = id
    self.version = version
    self.attributes = attributes
    self.media = media
  }

  /// An m-line and what belongs to it.
  ///
  /// - Specification: RFC 8866 §5.14
  package struct Media: Sendable {
    /// `audio`, `video`, `application`, …
    package var kind: String
    /// 0 where the medium is rejected, or goes only with its bundle; 9 where candidates follow.
    package var port: UInt16
    /// `UDP/TLS/RTP/SAVPF`, …
    package var transport: String
    /// Payload types, where the transport is RTP's.
    package var formats: [String]
    /// The `c=` line's value.
    package var connection = "IN IP4 0.0.0.0"
    package var bandwidths: [RTPDescription.Bandwidth] = []
    package var attributes: [Attribute] = []
    /// Where the m-line was read, counted from 1.
    package var line = 0

    package init(kind: String, port: UInt16, transport: String, formats: [String]) {
      self.kind = kind
      self.port = port
      self.transport = transport
      self.formats = formats
    }
  }

  /// `a=name` or `a=name:value`.
  package struct Attribute: Sendable {
    package var name: String
    package var value: String?
    /// Where the attribute was read, counted from 1.
    package var line = 0

    package init(_ name: String, _ value: String? = nil) {
      self.name = name
      self.value = value
    }
  }
}

/// Why a description cannot be read, or cannot be said in the other language.
package enum SDPError: Error, Hashable, Sendable, CustomStringConvertible {
  /// More bytes than are read.
  case tooLong
  /// The SDP is wrong there.
  case malformed(line: Int, String)
  /// The Jingle has something that SDP cannot say.
  case unsayable(String)
  /// The answer does not fit its offer.
  case noAnswer(String)

  package var description: String {
    switch self {
    case .tooLong: "more than \(SessionDescription.maximumLength) bytes"
    case .malformed(let line, let what): "line \(line): \(what)"
    case .unsayable(let what): what
    case .noAnswer(let what): what
    }
  }
}

extension SessionDescription {
  /// Reads SDP with line ends of either kind. Lines may stand in any order inside their section, as browsers take them.
  package init(parsing text: String) throws(SDPError) {
    guard text.utf8.count <= Self.maximumLength else { throw .tooLong }
    self.init(id: "", version: "")
    var seen: Set<Character> = []
    var number = 0
    var rest = text.utf8[...]
    while !rest.isEmpty {
      let end = rest.firstIndex(of: 0x0A) ?? rest.endIndex
      var bytes = rest[..<end]
      rest = end == rest.endIndex ? rest[end...] : rest[rest.index(after: end)...]
      number += 1
      if bytes.last == 0x0D { bytes.removeLast() }
      if bytes.isEmpty { continue }
      guard number <= Self.maximumLines else { throw .malformed(line: number, "too many lines") }
      guard bytes.count <= Self.maximumLineLength else { throw .malformed(line: number, "the line is too long") }
      let line = Substring(bytes)
      guard let type = line.first, line.dropFirst().first == "=", !bytes.contains(where: { $0 == 0x0D || $0 == 0 })
      else { throw .malformed(line: number, "this is no line of SDP") }
      let value = line.dropFirst(2)
      if seen.isEmpty, line != "v=0" { throw .malformed(line: number, "SDP begins with v=0") }
      if media.isEmpty { seen.insert(type) }
      try take(type, value, at: number)
    }
    for type in "vost" where !seen.contains(type) { throw .malformed(line: max(number, 1), "\(type)= is missing") }
  }

  private mutating func take(_ type: Character, _ value: Substring, at line: Int) throws(SDPError) {
    switch type {
    case "o":
      let fields = value.split(separator: " ")
      guard fields.count == 6, fields[1...2].allSatisfy(\.isDecimal) else {
        throw .malformed(line: line, "o= has a user, two numbers and an address")
      }
      id = String(fields[1])
      version = String(fields[2])
    case "m":
      guard media.count < Self.maximumMedia else { throw .malformed(line: line, "too many m-lines") }
      media.append(try Media(value, at: line))
    case "a":
      let colon = value.firstIndex(of: ":")
      guard colon != value.startIndex, !value.isEmpty else { throw .malformed(line: line, "the attribute has no name") }
      var attribute = Attribute(String(value[..<(colon ?? value.endIndex)]))
      attribute.value = colon.map { String(value[value.index(after: $0)...]) }
      attribute.line = line
      if media.isEmpty { attributes.append(attribute) } else { media[media.count - 1].attributes.append(attribute) }
    case "b":
      let parts = value.split(separator: ":", maxSplits: 1)
      guard parts.count == 2, parts[1].isDecimal else { throw .malformed(line: line, "b= has a kind and a number") }
      if !media.isEmpty {
        media[media.count - 1].bandwidths.append(.init(type: String(parts[0]), value: String(parts[1])))
      }
    case "v", "s", "i", "u", "e", "p", "c", "t", "r", "z", "k": break
    default: throw .malformed(line: line, "\(type)= is no line of SDP")
    }
  }

  /// The text, each line ended as the specification wants it.
  ///
  /// - Throws: `unsayable` when a value would break its line.
  package func text() throws(SDPError) -> String {
    var lines = ["v=0", "o=- \(id) \(version) IN IP4 127.0.0.1", "s=-", "t=0 0"] + attributes.map(\.text)
    for media in media {
      lines.append("m=\(media.kind) \(media.port) \(media.transport) \(media.formats.joined(separator: " "))")
      lines.append("c=\(media.connection)")
      lines += media.bandwidths.map { "b=\($0.type):\($0.value)" } + media.attributes.map(\.text)
    }
    for line in lines where line.utf8.contains(where: { [0x0A, 0x0D, 0].contains($0) }) {
      throw .unsayable("a value with a line break: \(line.prefix { !$0.isNewline })…")
    }
    return lines.map { $0 + "\r\n" }.joined()
  }
}

extension SessionDescription.Media {
  init(_ value: Substring, at line: Int) throws(SDPError) {
    let fields = value.split(separator: " ")
    guard
      fields.count >= 4, fields[0].utf8.count <= 64, let port = fields[1].split(separator: "/").first,
      port.isDecimal, let port = UInt16(port)
    else { throw .malformed(line: line, "m= has a kind, a port, a transport and formats") }
    self.init(
      kind: String(fields[0]), port: port, transport: String(fields[2]), formats: fields[3...].map(String.init))
    self.line = line
  }

  /// Whether the transport is RTP's, of whatever profile.
  var isRTP: Bool { transport.split(separator: "/").contains("RTP") }

  /// Whether the medium is offered no longer, or not accepted. Port 0 means something else in a bundle.
  ///
  /// - Specification: RFC 3264 §6, RFC 9143 §6
  package var isRejected: Bool { port == 0 && self["bundle-only"] == nil }

  /// The first attribute of that name.
  subscript(name: String) -> SessionDescription.Attribute? { attributes.first { $0.name == name } }
}

extension SessionDescription.Attribute {
  var text: String { value.map { "a=\(name):\($0)" } ?? "a=\(name)" }

  /// What stands between the spaces of the value.
  var fields: [Substring] { value?.split(separator: " ") ?? [] }

  func malformed(_ what: String? = nil) -> SDPError {
    .malformed(line: line, what ?? "a=\(name) is malformed")
  }
}

extension StringProtocol {
  /// Nothing but decimal digits, few enough for any number that is used.
  var isDecimal: Bool {
    (1...20).contains(utf8.count) && utf8.allSatisfy { (0x30...0x39).contains($0) }
  }

  /// A number written in decimal digits only.
  func decimal<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) -> Number? {
    isDecimal ? Number(self) : nil
  }

  /// Visible ASCII characters, and not too many.
  func isToken(upTo length: Int) -> Bool {
    (1...length).contains(utf8.count) && utf8.allSatisfy { (0x21...0x7E).contains($0) }
  }
}
