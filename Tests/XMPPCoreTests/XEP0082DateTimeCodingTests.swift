import MediaTime
import Testing
import XMPPCore

@Suite struct XEP0082DateTimeCodingTests {
  @Test(
    "Moments are read as time since the Unix epoch",
    arguments: [
      ("1970-01-01T00:00:00Z", 0),
      ("1969-07-21T02:56:15Z", -14_159_025_000_000_000),
      ("1969-07-20T21:56:15-05:00", -14_159_025_000_000_000),
      ("2002-09-10T23:08:25Z", 1_031_699_305_000_000_000),
      ("2000-02-29T23:59:59.999999999Z", 951_868_799_999_999_999),
      ("2000-02-29T23:59:59.9999999999Z", 951_868_799_999_999_999),
      ("2000-03-01T05:30:00.5+05:30", 951_868_800_500_000_000),
      ("2016-12-31T23:59:60Z", 1_483_228_800_000_000_000),
      ("2024-12-31T23:59:59Z", 1_735_689_599_000_000_000),
    ] as [(String, Int64)])
  func parse(text: String, nanoseconds: Int64) {
    #expect(DateTime.parse(text) == .nanoseconds(nanoseconds))
  }

  @Test("The first and the last year there is")
  func extremes() {
    #expect(DateTime.parse("0001-01-01T00:00:00Z") == .seconds(-62_135_596_800))
    #expect(DateTime.parse("9999-12-31T23:59:59Z") == .seconds(253_402_300_799))
  }

  @Test(
    "What is no moment is refused",
    arguments: [
      "", "1969-07-21", "02:56:15Z", "1969-07-21T02:56:15", "1969-07-21T02:56Z", "1969-07-21 02:56:15Z",
      "1969-7-21T02:56:15Z", "69-07-21T02:56:15Z", "1969-13-21T02:56:15Z", "1969-00-21T02:56:15Z",
      "1969-07-00T02:56:15Z", "1969-07-32T02:56:15Z", "1969-02-29T02:56:15Z", "1900-02-29T02:56:15Z",
      "1969-07-21T24:00:00Z",
      "1969-07-21T02:60:15Z", "1969-07-21T02:56:61Z", "1969-07-21T02:56:15.Z", "1969-07-21T02:56:15,5Z",
      "1969-07-21T02:56:15+5:00", "1969-07-21T02:56:15+24:00", "1969-07-21T02:56:15+05:60", "1969-07-21T02:56:15+0500",
      "1969-07-21T02:56:15ZZ", "1969-07-21T02:56:15z",
      "+969-07-21T02:56:15Z", "19690721T02:56:15", "\u{661}969-07-21T02:56:15Z",
    ])
  func malformed(text: String) {
    #expect(DateTime.parse(text) == nil)
  }

  @Test("Every truncation of a moment is refused")
  func truncated() {
    let text = "2000-02-29T23:59:59.125+05:30"
    for count in 0..<text.count { #expect(DateTime.parse(String(text.prefix(count))) == nil) }
  }

  @Test(
    "Moments are written in UTC",
    arguments: [
      "0001-01-01T00:00:00Z", "1600-02-29T12:00:00Z", "1899-12-31T23:59:59Z", "1969-12-31T23:59:59.999Z",
      "1970-01-01T00:00:00Z",
      "1999-12-31T23:59:59.001Z", "2000-01-01T00:00:00Z", "2000-02-29T00:00:00Z", "2023-03-01T00:00:00Z",
      "2024-12-31T23:59:59Z", "2100-03-01T00:00:00Z", "9999-12-31T23:59:59Z",
    ])
  func format(text: String) throws {
    #expect(DateTime.format(try #require(DateTime.parse(text))) == text)
  }

  @Test("The days of four centuries come back as they went")
  func calendar() {
    for day in stride(from: -73_048, to: 73_049, by: 7) {
      let time = Duration.seconds(day * 86_400 + 43_200)
      #expect(DateTime.parse(DateTime.format(time)) == time)
    }
  }

  @Test("A moment beyond the years there are is the nearest one within", arguments: [Int64.min, Int64.max])
  func clamped(seconds: Int64) {
    let year = DateTime.format(.seconds(seconds)).prefix(4)
    #expect(year == (seconds < 0 ? "0001" : "9999"))
  }
}
