import FoundationEssentials

/// A file of `key = value` lines that stand in for options; `#` begins a comment line.
struct ConfigurationFile: Equatable {
  /// The keys are the long options' names, and `password`.
  static let keys: Set<String> = ["account", "password", "password-file", "host", "ca-file", "relay-only", "log-level"]

  var values: [String: String] = [:]

  init() {}

  init(parsing text: String, name: String) throws(CommandFailure) {
    func refuse(_ line: Int, _ reason: String) -> CommandFailure {
      CommandFailure(code: "configuration", message: "\(name), line \(line): \(reason).", status: .configuration)
    }
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      let line = line.trimmingSpaces()
      if line.isEmpty || line.hasPrefix("#") { continue }
      guard let equals = line.firstIndex(of: "=") else { throw refuse(index + 1, "expected key = value") }
      let key = String(line[..<equals].trimmingSpaces())
      guard Self.keys.contains(key) else {
        throw refuse(index + 1, "unknown key '\(key)'; known are \(Self.keys.sorted().joined(separator: ", "))")
      }
      guard values[key] == nil else { throw refuse(index + 1, "'\(key)' stands there twice") }
      values[key] = String(line[line.index(after: equals)...].trimmingSpaces())
    }
  }

  /// Reads the file; its relative paths are seen from its own folder.
  static func read(_ path: String) throws -> (file: ConfigurationFile, warning: String?) {
    var file = try ConfigurationFile(parsing: try readTextFile(path, what: "configuration"), name: path)
    let folder = path.lastIndex(of: "/").map { path[...$0] } ?? ""
    for key in ["password-file", "ca-file"] {
      if let value = file.values[key], !value.hasPrefix("/") { file.values[key] = folder + value }
    }
    let permissions = try? FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    let isOpen = file.values["password"] != nil && (permissions ?? 0) & 0o077 != 0
    return (file, isOpen ? "\(path) holds a password that others can read; chmod 600 it." : nil)
  }
}

/// A small text file's content, or the failure that says which file of the configuration is missing.
func readTextFile(_ path: String, what: String) throws(CommandFailure) -> String {
  guard let data = FileManager.default.contents(atPath: path) else {
    throw CommandFailure(
      code: "configuration", message: "The \(what) file \(path) cannot be read.", status: .configuration)
  }
  guard data.count <= 1 << 20, let text = String(data: data, encoding: .utf8) else {
    throw CommandFailure(
      code: "configuration", message: "The \(what) file \(path) is no UTF-8 text of a sensible size.",
      status: .configuration)
  }
  return text
}

extension StringProtocol {
  /// Without white space around it.
  func trimmingSpaces() -> SubSequence {
    let start = drop { $0.isWhitespace }.startIndex
    guard let last = self[start...].lastIndex(where: { !$0.isWhitespace }) else { return self[start..<start] }
    return self[start...last]
  }
}
