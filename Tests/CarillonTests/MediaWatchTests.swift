import MediaTime
import Testing

@testable import Carillon

@Suite struct MediaWatchTests {
  private static func seen(_ silence: Duration?, hasReports: Bool = true) -> MediaObservation {
    MediaObservation(unauthenticated: 0, unknownPayloadTypes: 0, silence: silence, hasReports: hasReports)
  }

  @Test(
    arguments: [
      (seen(.seconds(1)), .notSent), (seen(.seconds(7)), .consentLost), (seen(nil), .consentLost),
      // Where no reports come, nothing but media would.
      (seen(.seconds(7), hasReports: false), .notSent), (seen(nil, hasReports: false), .notSent),
    ] as [(MediaObservation, MediaAbsence)])
  func `media that does not come is missed after 5 s, and silence tells why`(
    observation: MediaObservation, absence: MediaAbsence
  ) {
    var watch = MediaWatch()
    let start = ManualClock().now
    #expect(watch.observe(observation, excuse: nil, at: start) == nil)
    #expect(watch.observe(observation, excuse: nil, at: start + .milliseconds(4_999)) == nil)
    #expect(watch.observe(observation, excuse: nil, at: start + .seconds(5)) == .missing(absence))
    #expect(watch.observe(observation, excuse: nil, at: start + .seconds(6)) == nil, "told once")
    var found = observation
    found.packets = 1
    #expect(watch.observe(found, excuse: nil, at: start + .seconds(7)) == .found)
  }
}
