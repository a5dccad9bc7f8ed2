import Foundation

/// How the three parts of an address are prepared and checked.
///
/// The directionality rule and the contextual rules for single characters are left to the server that registers the
/// account: they guard against look-alikes, and refusing here would only make an existing contact unreachable.
extension JID {
  /// - Specification: RFC 7622 §3.3; RFC 8265 §3.3 (UsernameCaseMapped)
  static func preparedLocalpart(_ text: Substring) throws(JIDError) -> String {
    let prepared = composed(lowercased(widthMapped(text)))
    for scalar in prepared.unicodeScalars where !isIdentifier(scalar) || "\"&'/:<>@".unicodeScalars.contains(scalar) {
      throw JIDError(.localpart, .forbidden(scalar))
    }
    return prepared
  }

  /// - Specification: RFC 7622 §3.2
  static func preparedDomainpart(_ text: Substring) throws(JIDError) -> String {
    if text.first == "[" {
      guard text.last == "]", isIPv6Address(text.dropFirst().dropLast()) else {
        throw JIDError(.domainpart, .malformedIPv6Address)
      }
      return text.lowercased()
    }
    var domain = composed(lowercased(widthMapped(text)))
    if domain.unicodeScalars.last == "." { domain.unicodeScalars.removeLast() }
    if domain.isEmpty { throw JIDError(.domainpart, .empty) }
    for scalar in domain.unicodeScalars where scalar != "." {
      // Names in service records and on test machines do hold underscores, although host names may not.
      let allowed = scalar.isASCII ? isLetterOrDigit(scalar) || scalar == "-" || scalar == "_" : isIdentifier(scalar)
      if !allowed { throw JIDError(.domainpart, .forbidden(scalar)) }
    }
    for label in domain.unicodeScalars.split(separator: ".", omittingEmptySubsequences: false) {
      guard (1...63).contains(label.count), label.first != "-", label.last != "-" else {
        throw JIDError(.domainpart, .malformedLabel(String(label)))
      }
    }
    return domain
  }

  /// Variation selectors and joiners are let through, since nicknames in rooms are full of emoji that need them.
  ///
  /// - Specification: RFC 7622 §3.4; RFC 8265 §4.2 (OpaqueString)
  static func preparedResourcepart(_ text: Substring) throws(JIDError) -> String {
    var mapped = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      let properties = scalar.properties
      switch properties.generalCategory {
      case .spaceSeparator: mapped.append(" ")
      case .control, .lineSeparator, .paragraphSeparator, .surrogate:
        throw JIDError(.resourcepart, .forbidden(scalar))
      default:
        let joins = properties.isVariationSelector || scalar == "\u{200C}" || scalar == "\u{200D}"
        if properties.isNoncharacterCodePoint || properties.isDefaultIgnorableCodePoint && !joins {
          throw JIDError(.resourcepart, .forbidden(scalar))
        }
        mapped.append(scalar)
      }
    }
    if mapped.first == " " { throw JIDError(.resourcepart, .leadingSpace) }
    return composed(String(mapped))
  }

  // MARK: Mappings

  /// Full-width and half-width forms, and the ideographic full stop, as the ordinary characters that they stand for.
  ///
  /// - Specification: RFC 8265 §3.3.2 (width mapping); RFC 5895 §2
  private static func widthMapped(_ text: some StringProtocol) -> String {
    var mapped = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if scalar == "\u{3002}" {
        mapped.append(".")
      } else if (0xFF00...0xFFEF).contains(scalar.value) {
        mapped.append(contentsOf: String(scalar).precomposedStringWithCompatibilityMapping.unicodeScalars)
      } else {
        mapped.append(scalar)
      }
    }
    return String(mapped)
  }

  /// Each character by itself in lower case: unlike `String.lowercased()`, a sigma does not depend on its place.
  private static func lowercased(_ text: String) -> String {
    var mapped = ""
    for scalar in text.unicodeScalars { mapped += scalar.properties.lowercaseMapping }
    return mapped
  }

  /// Normalization form C.
  private static func composed(_ text: String) -> String {
    text.utf8.allSatisfy { $0 < 0x80 } ? text : text.precomposedStringWithCanonicalMapping
  }

  // MARK: Classes

  /// Whether the character belongs to the class that names are made of: letters, marks and digits of any script, and
  /// visible ASCII.
  ///
  /// - Specification: RFC 8264 §4.2 (IdentifierClass), §9
  private static func isIdentifier(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return (0x21...0x7E).contains(scalar.value) }
    switch scalar.value {
    case 0x06FD, 0x06FE, 0x0F0B, 0x3007: return true  // exceptions that are always valid
    case 0x00B7, 0x0375, 0x05F3, 0x05F4, 0x30FB: return true  // valid in their context
    case 0x1100...0x11FF, 0xA960...0xA97F, 0xD7B0...0xD7FF: return false  // old Hangul jamo
    case 0x0640, 0x07FA, 0x302E, 0x302F, 0x3031...0x3035, 0x303B: return false  // exceptions that never are
    default: break
    }
    switch scalar.properties.generalCategory {
    case .lowercaseLetter, .otherLetter, .modifierLetter, .decimalNumber, .nonspacingMark, .spacingMark: break
    default: return false
    }
    if scalar.properties.isDefaultIgnorableCodePoint { return false }
    let text = String(scalar)
    return Array(text.precomposedStringWithCompatibilityMapping.unicodeScalars) == Array(composed(text).unicodeScalars)
  }

  private static func isLetterOrDigit(_ scalar: Unicode.Scalar) -> Bool {
    ("a"..."z").contains(scalar) || ("0"..."9").contains(scalar)
  }

  /// - Specification: RFC 4291 §2.2
  private static func isIPv6Address(_ text: Substring) -> Bool {
    guard text.utf8.count <= 45, text.utf8.allSatisfy({ $0 < 0x80 }) else { return false }
    var groups = text.split(separator: ":", omittingEmptySubsequences: false)
    var size = 0
    if let last = groups.last, last.contains(".") {
      guard isIPv4Address(last) else { return false }
      groups.removeLast()
      size = 2
    }
    // `::` leaves an empty group: one inside, two at either end, three when it stands alone.
    let empty = groups.filter(\.isEmpty).count
    size += groups.count - empty
    guard groups.allSatisfy({ $0.count <= 4 && $0.allSatisfy(\.isHexDigit) }) else { return false }
    let ranges = text.ranges(of: "::")
    switch ranges.count {
    case 0: return empty == 0 && size == 8
    case 1:
      let atStart = text.hasPrefix("::")
      let atEnd = text.hasSuffix("::")
      return empty == 1 + (atStart ? 1 : 0) + (atEnd ? 1 : 0) && size <= 7
    default: return false
    }
  }

  private static func isIPv4Address(_ text: Substring) -> Bool {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { (1...3).contains($0.count) && UInt8($0) != nil && $0.first != "+" }
  }
}
