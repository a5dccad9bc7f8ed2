/// What becomes of a name that a peer gives to a file, before it names anything in a file system.
///
/// - Specification: XEP-0234 §12
package enum SafeFileName {
  /// In UTF-8 bytes: file systems bear 255, and a number or another ending may be added.
  package static let maximumLength = 200
  static let maximumExtensionLength = 24
  static let fallback = "file"

  /// The last part of the path that a name may be, without anything that hides, misleads, or means something to a file
  /// system, shell or program: never empty, `.` or `..`, with no separator, control or direction mark in it.
  package static func reduced(_ name: String?) -> String {
    let parts = (name ?? "").unicodeScalars.split { separators.contains($0) }
    var safe = parts.reversed().lazy.map(cleaned).first { !$0.isEmpty } ?? fallback
    // Whatever follows the first full stop, some systems take it for the device.
    if devices.contains(safe.prefix { $0 != "." }.uppercased()) { safe = "_\(safe)" }
    return bounded(safe, adding: "")
  }

  /// The name to try after as many others were taken: `report (1).txt`.
  ///
  /// - Parameter name: a safe name.
  package static func numbered(_ name: String, _ number: Int) -> String {
    number == 0 ? name : bounded(name, adding: " (\(number))")
  }

  /// The name with something before its extension, cut so that both stay.
  private static func bounded(_ name: String, adding suffix: String) -> String {
    let (stem, ending) = parts(of: name)
    var room = maximumLength - suffix.utf8.count - ending.utf8.count
    let kept = stem.unicodeScalars.prefix {
      room -= UTF8.width($0)
      return room >= 0
    }
    let cut = kept.count == stem.unicodeScalars.count ? stem : String(kept).trimmingEnd()
    return cut + suffix + ending
  }

  /// A name is what stands before its extension, and that with its full stop: `.gz`, or `.tar.gz`.
  private static func parts(of name: String) -> (stem: String, ending: String) {
    var stem = Substring(name)
    for _ in 1...2 {
      guard let dot = stem.lastIndex(of: "."), dot != stem.startIndex else { break }
      let part = stem[stem.index(after: dot)...]
      let isFirst = stem.endIndex == name.endIndex
      guard
        !part.isEmpty, part.utf8.count <= maximumExtensionLength, !part.contains(where: \.isWhitespace),
        isFirst || part == "tar"
      else { break }
      stem = stem[..<dot]
    }
    return (String(stem), String(name[stem.endIndex...]))
  }

  private static func cleaned(_ part: Substring.UnicodeScalarView) -> String {
    let visible = part.filter(isVisible).map { reserved.contains($0) ? "_" : $0 }
    // A name that begins so is hidden, or taken for an option; one that ends so is another one to some file systems.
    let start = visible.drop {
      $0.properties.isWhitespace || $0 == "." || $0 == "-" || $0.properties.isMark || isJoiner($0)
    }
    return String(String.UnicodeScalarView(start)).trimmingEnd()
  }

  /// The last ones only look like separators.
  private static let separators: Set<Unicode.Scalar> = [
    "/", "\\", "\u{2044}", "\u{2215}", "\u{29F8}", "\u{FF0F}", "\u{FF3C}",
  ]
  /// Not allowed by file systems of others.
  private static let reserved: Set<Unicode.Scalar> = ["<", ">", ":", "\"", "|", "?", "*"]
  private static let devices: Set<String> = Set(
    ["CON", "PRN", "AUX", "NUL"] + (0...9).flatMap { ["COM\($0)", "LPT\($0)"] })

  /// Neither a control, nor a mark of format such as those of direction, nor the end of a line, nor a letter that shows
  /// nothing. The joiners inside words and pictures stay, and what chooses between forms of a sign.
  private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator, .unassigned, .surrogate: false
    case .format: isJoiner(scalar)
    default: !scalar.properties.isDefaultIgnorableCodePoint || scalar.properties.isVariationSelector
    }
  }

  fileprivate static func isJoiner(_ scalar: Unicode.Scalar) -> Bool { scalar == "\u{200C}" || scalar == "\u{200D}" }
}

extension String {
  /// Without white space, full stops and joiners at the end.
  fileprivate func trimmingEnd() -> String {
    var scalars = Substring(self).unicodeScalars
    while let last = scalars.last, last.properties.isWhitespace || last == "." || SafeFileName.isJoiner(last) {
      scalars.removeLast()
    }
    return String(scalars)
  }
}

extension Unicode.Scalar.Properties {
  fileprivate var isMark: Bool { [.nonspacingMark, .enclosingMark, .spacingMark].contains(generalCategory) }
}
