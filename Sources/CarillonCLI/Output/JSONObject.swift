import FoundationEssentials

/// A value of a JSON line.
enum JSONValue: Equatable, Sendable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral
{
  case string(String)
  case integer(Int)
  /// Written with three decimals at most.
  case number(Double)
  case boolean(Bool)
  case array([JSONValue])
  case object(JSONObject)

  init(stringLiteral value: String) { self = .string(value) }
  init(integerLiteral value: Int) { self = .integer(value) }
  init(booleanLiteral value: Bool) { self = .boolean(value) }

  /// A time as a number of milliseconds.
  static func milliseconds(_ duration: Duration) -> JSONValue { .number(duration.milliseconds) }

  var text: String {
    switch self {
    case .string(let string): Self.quoted(string)
    case .integer(let integer): "\(integer)"
    case .boolean(let boolean): "\(boolean)"
    case .number(let number):
      if !number.isFinite {
        "null"
      } else {
        decimal(number, places: 3, trimmed: true)
      }
    case .array(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
    case .object(let object): object.text
    }
  }

  /// - Specification: RFC 8259 §7
  static func quoted(_ string: String) -> String {
    var text = "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      // Line separators are legal in JSON but end a line for some readers of lines.
      case "\u{0}"..<"\u{20}", "\u{7F}"..<"\u{A0}", "\u{2028}", "\u{2029}":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }
}

/// A JSON object whose keys keep their order, so that lines are easy to read.
struct JSONObject: Equatable, Sendable, ExpressibleByDictionaryLiteral {
  private(set) var members: [(key: String, value: JSONValue)] = []

  init(dictionaryLiteral elements: (String, JSONValue)...) {
    members = elements.map { (key: $0.0, value: $0.1) }
  }

  /// Replaces the key's value, or adds it at the end; nil removes it.
  subscript(key: String) -> JSONValue? {
    get { members.first { $0.key == key }?.value }
    set {
      let index = members.firstIndex { $0.key == key }
      switch (index, newValue) {
      case (let index?, let value?): members[index].value = value
      case (let index?, nil): members.remove(at: index)
      case (nil, let value?): members.append((key, value))
      case (nil, nil): break
      }
    }
  }

  /// One object after the other; a repeated key takes the later value.
  func merging(_ other: JSONObject) -> JSONObject {
    var merged = self
    for (key, value) in other.members { merged[key] = value }
    return merged
  }

  var text: String { "{" + members.map { "\(JSONValue.quoted($0.key)):\($0.value.text)" }.joined(separator: ",") + "}" }

  static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.members.elementsEqual(right.members) { $0.key == $1.key && $0.value == $1.value }
  }
}

extension Date {
  /// - Parameter span: since 1970-01-01 00:00 UTC.
  init(sinceEpoch span: Duration) {
    self.init(timeIntervalSince1970: Double(span.components.seconds) + Double(span.components.attoseconds) / 1e18)
  }

  /// This moment in UTC with milliseconds, such as `2026-03-01T12:00:00.250Z`.
  ///
  /// - Specification: RFC 3339 §5.6
  var rfc3339: String { formatted(.iso8601.year().month().day().time(includingFractionalSeconds: true)) + "Z" }
}
