import MediaTime
import Testing

@Suite struct MediaTimeTests {
  @Test("NTP time of the Unix epoch is 2208988800 seconds")
  func epoch() {
    #expect(NTPTime(sinceUnixEpoch: .zero).rawValue == 2_208_988_800 << 32)
  }

  @Test("NTP differences are exact to a nanosecond", arguments: [0, 1, 500_000_000, 999_999_999, 1_000_000_001, -1, -1_500_000_000])
  func difference(nanoseconds: Int64) {
    let a = NTPTime(sinceUnixEpoch: .seconds(1_700_000_000))
    let back = ((a + .nanoseconds(nanoseconds)) - a).nanoseconds
    #expect(abs(back - nanoseconds) <= 1)
  }

  @Test("RTP timestamps subtract on the shorter way round", arguments: [
    (UInt32(0), UInt32(0), 0), (5, 4_294_967_295, 6), (4_294_967_295, 5, -6), (960, 0, 960), (0x7FFF_FFFF, 0, 0x7FFF_FFFF),
  ])
  func wrap(a: UInt32, b: UInt32, expected: Int) {
    #expect(RTPTimestamp(rawValue: a) - RTPTimestamp(rawValue: b) == expected)
  }

  @Test("A deadline table hands out what is due, earliest first, once")
  func deadlines() {
    var table = DeadlineTable<String>()
    table["late"] = Instant(nanoseconds: 30)
    table["soon"] = Instant(nanoseconds: 10)
    table["sooner"] = Instant(nanoseconds: 5)
    #expect(table.next == Instant(nanoseconds: 5))
    #expect(table.expired(at: Instant(nanoseconds: 10)) == ["sooner", "soon"])
    #expect(table.expired(at: Instant(nanoseconds: 10)).isEmpty)
    #expect(table.next == Instant(nanoseconds: 30))
  }

  @Test("Instants and durations add up", arguments: [Duration.zero, .milliseconds(20), .seconds(-3), .nanoseconds(1)])
  func arithmetic(duration: Duration) {
    let start = Instant(nanoseconds: 1_000_000)
    #expect((start + duration) - start == duration)
    #expect((start + duration) - duration == start)
  }
}
