import ArgumentParser

extension Duration {
  /// A span as people write it: `500ms`, `8s`, `1m30s`, `2h`, or plain seconds as `8` or `2.5`.
  init(argument: String) throws {
    let units: [String: Double] = ["ms": 0.001, "s": 1, "m": 60, "h": 3600]
    var rest = argument[...]
    var seconds = 0.0
    var isValid = !rest.isEmpty
    while isValid, !rest.isEmpty {
      let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
      rest = rest.dropFirst(digits.count)
      let unit = rest.prefix { $0.isLetter }
      rest = rest.dropFirst(unit.count)
      guard let number = Double(digits),
        let scale = unit.isEmpty && digits.count == argument.count ? 1 : units[String(unit)]
      else {
        isValid = false
        break
      }
      seconds += number * scale
    }
    guard isValid, seconds > 0, seconds <= 366 * 86_400 else {
      throw ValidationError("'\(argument)' is no duration; write it as 8s, 1m30s or 500ms.")
    }
    self = .milliseconds(Int64((seconds * 1000).rounded()))
  }
}
