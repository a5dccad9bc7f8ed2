/// A moment on the wall clock in the DateTime profile: `1969-07-21T02:56:15.123Z`.
///
/// - Specification: XEP-0082 §3.2
package enum DateTime {
  /// The time since 1 January 1970 UTC, or nil when the text is no DateTime. Digits beyond the nanosecond are dropped.
  package static func parse(_ text: String) -> Duration? {
    var rest = text.utf8[...]
    guard let year = number(&rest, 4), skip(&rest, "-"), let month = number(&rest, 2), skip(&rest, "-"),
      let day = number(&rest, 2), skip(&rest, "T"), let hour = number(&rest, 2), skip(&rest, ":"),
      let minute = number(&rest, 2), skip(&rest, ":"), let second = number(&rest, 2)
    else { return nil }
    // 60 is a leap second, which the Unix epoch counts as the first of the next minute.
    guard (1...12).contains(month), (1...days(in: month, of: year)).contains(day), hour <= 23, minute <= 59, second <= 60
    else { return nil }

    var nanoseconds = 0
    if skip(&rest, ".") {
      let digits = rest.prefix { isDigit($0) }
      guard !digits.isEmpty else { return nil }
      rest = rest[digits.endIndex...]
      var unit = 100_000_000
      for digit in digits.prefix(9) {
        nanoseconds += Int(digit - UInt8(ascii: "0")) * unit
        unit /= 10
      }
    }

    guard let offset = zone(&rest), rest.isEmpty else { return nil }
    let minutes = (daysSinceEpoch(year, month, day) * 24 + hour) * 60 + minute - offset
    return .seconds(minutes * 60 + second) + .nanoseconds(nanoseconds)
  }

  /// The moment in UTC, with milliseconds where it has any.
  ///
  /// - Parameter time: since 1 January 1970 UTC, within the years 0001 to 9999; beyond, the nearest moment within.
  package static func format(_ time: Duration) -> String {
    let (seconds, attoseconds) = time.components
    var milliseconds = Int(attoseconds / 1_000_000_000_000_000)
    var second = Int(seconds)
    if milliseconds < 0 {
      milliseconds += 1000
      second = second == .min ? second : second - 1
    }
    second = min(max(second, -62_135_596_800), 253_402_300_799)
    let day = second >= 0 ? second / 86_400 : (second - 86_399) / 86_400
    let rest = second - day * 86_400
    let (year, month, dayOfMonth) = date(daysSinceEpoch: day)
    let clock = [rest / 3600, rest / 60 % 60, rest % 60].map { padded($0, 2) }.joined(separator: ":")
    let fraction = milliseconds == 0 ? "" : "." + padded(milliseconds, 3)
    return "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))T\(clock)\(fraction)Z"
  }

  // MARK: Reading

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  private static func number(_ rest: inout Substring.UTF8View, _ digits: Int) -> Int? {
    let text = rest.prefix(digits)
    guard text.count == digits, text.allSatisfy(isDigit) else { return nil }
    rest = rest.dropFirst(digits)
    return text.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
  }

  private static func skip(_ rest: inout Substring.UTF8View, _ separator: Unicode.Scalar) -> Bool {
    guard rest.first == UInt8(ascii: separator) else { return false }
    rest = rest.dropFirst()
    return true
  }

  /// The offset from UTC in minutes.
  private static func zone(_ rest: inout Substring.UTF8View) -> Int? {
    if skip(&rest, "Z") { return 0 }
    let sign = rest.first == UInt8(ascii: "-") ? -1 : 1
    guard skip(&rest, "+") || skip(&rest, "-"), let hours = number(&rest, 2), skip(&rest, ":"),
      let minutes = number(&rest, 2), hours <= 23, minutes <= 59
    else { return nil }
    return sign * (hours * 60 + minutes)
  }

  // MARK: Calendar

  private static func days(in month: Int, of year: Int) -> Int {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
  }

  /// Days by the proleptic Gregorian calendar. Years are counted from March, so that a leap day ends its year.
  private static func daysSinceEpoch(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let years = month > 2 ? year : year - 1
    let daysBeforeMonth = (153 * ((month + 9) % 12) + 2) / 5
    let leapDays = floored(years, 4) - floored(years, 100) + floored(years, 400)
    return 365 * years + leapDays + daysBeforeMonth + day - 719_469
  }

  private static func date(daysSinceEpoch days: Int) -> (year: Int, month: Int, day: Int) {
    // The estimate is off by one at most, since no year is longer than 366 days nor shorter than 365.
    var year = 1970 + floored(days * 400, 146_097)
    while daysSinceEpoch(year, 1, 1) > days { year -= 1 }
    while daysSinceEpoch(year + 1, 1, 1) <= days { year += 1 }
    var month = 12
    while daysSinceEpoch(year, month, 1) > days { month -= 1 }
    return (year, month, days - daysSinceEpoch(year, month, 1) + 1)
  }

  private static func floored(_ a: Int, _ b: Int) -> Int {
    a >= 0 ? a / b : (a - b + 1) / b
  }

  private static func padded(_ number: Int, _ width: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, width - text.count)) + text
  }
}
