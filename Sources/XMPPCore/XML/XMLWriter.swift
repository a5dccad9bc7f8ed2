extension XMLElement {
  /// The element as XML text, with `xmlns` written wherever it differs from the parent's.
  ///
  /// Attributes are written in alphabetical order, so that equal elements are equal text.
  ///
  /// - Parameter context: the default namespace in scope where the text will stand (`jabber:client` in a stream).
  package func serialized(inside context: String = "") -> String {
    var text = ""
    write(to: &text, inside: context)
    return text
  }

  private func write(to text: inout String, inside context: String) {
    text += "<\(name)"
    if namespace != context {
      text += " xmlns='"
      XMLElement.escape(namespace, into: &text)
      text += "'"
    }
    var prefixes = 0
    for (key, value) in attributes.sorted(by: { $0.key < $1.key }) {
      if let bar = key.lastIndex(of: "|") {
        text += " xmlns:n\(prefixes)='"
        XMLElement.escape(String(key[..<bar]), into: &text)
        text += "' n\(prefixes):\(key[key.index(after: bar)...])='"
        prefixes += 1
      } else {
        text += " \(key)='"
      }
      XMLElement.escape(value, into: &text)
      text += "'"
    }
    if nodes.isEmpty {
      text += "/>"
      return
    }
    text += ">"
    for node in nodes {
      switch node {
      case .element(let child): child.write(to: &text, inside: namespace)
      case .text(let string): XMLElement.escape(string, into: &text)
      }
    }
    text += "</\(name)>"
  }

  /// Escapes for both character data and attribute values; characters that XML 1.0 forbids become U+FFFD.
  private static func escape(_ string: String, into text: inout String) {
    if string.utf8.allSatisfy(isPlain) {
      text += string
      return
    }
    for scalar in string.unicodeScalars {
      switch scalar {
      case "&": text += "&amp;"
      case "<": text += "&lt;"
      case ">": text += "&gt;"
      case "'": text += "&apos;"
      case "\"": text += "&quot;"
      case "\t": text += "&#9;"
      case "\n": text += "&#10;"
      case "\r": text += "&#13;"
      case "\u{0}"..."\u{1F}", "\u{FFFE}", "\u{FFFF}": text += "\u{FFFD}"
      default: text.unicodeScalars.append(scalar)
      }
    }
  }
  /// Bytes that need no escape. 0xEF begins U+FFFE and U+FFFF, among others.
  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case 0..<0x20, UInt8(ascii: "&"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "'"), UInt8(ascii: "\""), 0xEF:
      false
    default: true
    }
  }
}
