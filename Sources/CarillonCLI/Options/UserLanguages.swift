import Foundation

/// The languages that the user reads, best first, as the locale's variables have them.
enum UserLanguages {
  static let current = languages(in: ProcessInfo.processInfo.environment)

  /// - Returns: language tags; none for the locales `C` and `POSIX`.
  static func languages(in environment: [String: String]) -> [String] {
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
    // Without a locale, gettext's list counts for nothing.
    guard let own = tag(locale) else { return [] }
    let listed = (environment["LANGUAGE"] ?? "").split(separator: ":").compactMap { tag(String($0)) }
    return listed.isEmpty ? [own] : listed
  }

  /// `de_AT.UTF-8@euro` is `de-AT`.
  private static func tag(_ locale: String) -> String? {
    let name = locale.prefix { $0 != "." && $0 != "@" }.replacing("_", with: "-")
    let isTag = !name.isEmpty && name.utf8.count <= 35 && name.utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x2D }
    return isTag && !["C", "POSIX"].contains(name) ? String(name) : nil
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte & 0xDF)
  }
}
