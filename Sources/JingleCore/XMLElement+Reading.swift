import XMPPCore

extension XMLElement {
  /// An attribute's value as a number, written in decimal digits only.
  func number<Number: FixedWidthInteger>(_ attribute: String, as type: Number.Type = Number.self) -> Number? {
    guard let text = self[attribute: attribute], text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return Number(text)
  }

  /// An attribute's value, unless it is empty, too long, or holds anything but visible ASCII characters.
  ///
  /// Candidates and credentials end up in lines of text between other software, where a space or a line break would
  /// change the meaning.
  func token(_ attribute: String, upTo length: Int) -> String? {
    guard
      let text = self[attribute: attribute], (1...length).contains(text.utf8.count),
      text.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
    else { return nil }
    return text
  }
}
