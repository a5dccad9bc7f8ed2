/// A media type such as `text/plain`, perhaps with parameters.
///
/// - Specification: RFC 2045 §5.1
package enum MediaType {
  /// Unknown data.
  package static let octetStream = "application/octet-stream"
  static let maximumLength = 255

  /// The type without white space around it, or nil when it is none: type, `/` and subtype, in visible ASCII characters
  /// and spaces.
  package static func checked(_ text: String?) -> String? {
    guard let text, text.utf8.count <= 2 * maximumLength else { return nil }
    let isSpace: (UInt8) -> Bool = { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
    let trimmed = Array(text.utf8.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    let essence = trimmed.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
    let parts = essence.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    guard
      trimmed.count <= maximumLength, trimmed.allSatisfy({ (0x20...0x7E).contains($0) }), parts.count == 2,
      parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(isToken) })
    else { return nil }
    return String(decoding: trimmed, as: UTF8.self)
  }

  /// Visible ASCII but for the signs that separate words.
  private static func isToken(_ byte: UInt8) -> Bool {
    (0x21...0x7E).contains(byte) && !#"()<>@,;:\"/[]?="#.utf8.contains(byte)
  }
}
