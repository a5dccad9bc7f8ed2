import Foundation

/// The string as SASL compares names and passwords, or nil if it holds a prohibited character.
///
/// Maps, normalises (NFKC) and prohibits. Neither the bidirectional rule nor unassigned code points are checked: the
/// server does, and knows newer versions of Unicode than RFC 3454.
///
/// - Specification: RFC 4013 §2
package func saslPrepared(_ string: String) -> String? {
  if string.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) { return string }
  var mapped = String.UnicodeScalarView()
  for scalar in string.unicodeScalars {
    switch scalar.value {
    case 0xAD, 0x34F, 0x1806, 0x180B...0x180D, 0x200B...0x200D, 0x2060, 0xFE00...0xFE0F, 0xFEFF:
      continue  // commonly mapped to nothing
    case 0xA0, 0x1680, 0x2000...0x200A, 0x202F, 0x205F, 0x3000:
      mapped.append(" ")
    default:
      mapped.append(scalar)
    }
  }
  let normalized = String(mapped).precomposedStringWithCompatibilityMapping
  return normalized.unicodeScalars.contains(where: isProhibited) ? nil : normalized
}

/// - Specification: RFC 4013 §2.3
private func isProhibited(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.value {
  case 0x6DD, 0x70F, 0x180E, 0x2028, 0x2029, 0x2061...0x2063, 0xFFF9...0xFFFD, 0x1D173...0x1D17A: return true
  case 0x340, 0x341, 0x200E, 0x200F, 0x202A...0x202E, 0x206A...0x206F: return true
  case 0x2FF0...0x2FFB, 0xE0001, 0xE0020...0xE007F: return true
  default:
    return scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .privateUse
      || scalar.properties.isNoncharacterCodePoint
  }
}
