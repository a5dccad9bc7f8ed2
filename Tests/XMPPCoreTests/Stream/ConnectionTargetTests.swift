import Testing
import XMPPCore

@Suite struct ConnectionTargetTests {
  static func record(_ priority: UInt16, _ weight: UInt16, _ target: String, _ port: UInt16 = 5222) -> ServiceRecord {
    ServiceRecord(priority: priority, weight: weight, port: port, target: target)
  }
  static let fallback = ConnectionTarget(host: "example.org", port: 5222, security: .startTLS)

  @Test(arguments: [
    (ServiceAnswer.none, ServiceAnswer.none), (.failed("timeout"), .none), (.records([]), .failed("timeout")),
  ])
  func `without a record the domain itself is the target`(direct: ServiceAnswer, start: ServiceAnswer) {
    #expect(
      ConnectionTarget.ordered(domain: "example.org", directTLS: direct, startTLS: start) { $0.upperBound }
        == [Self.fallback])
  }

  @Test(arguments: [
    (ServiceAnswer.records([record(0, 0, ".")]), ServiceAnswer.records([record(0, 0, ".")])),
    (.none, .records([record(0, 0, ".")])), (.records([record(0, 0, ".")]), .none), (.none, .records([record(0, 0, "a", 0)])),
  ])
  func `a dot says that there is no service, and no fall-back`(direct: ServiceAnswer, start: ServiceAnswer) {
    #expect(
      ConnectionTarget.ordered(domain: "example.org", directTLS: direct, startTLS: start) { $0.lowerBound } == [])
  }

  @Test func `a dot for direct TLS leaves STARTTLS`() {
    let targets = ConnectionTarget.ordered(
      domain: "example.org", directTLS: .records([Self.record(0, 0, ".")]), startTLS: .records([Self.record(5, 0, "a")])
    ) { $0.lowerBound }
    #expect(targets == [ConnectionTarget(host: "a", port: 5222, security: .startTLS)])
  }

  @Test func `both kinds of record are one set, ordered by priority`() {
    let targets = ConnectionTarget.ordered(
      domain: "example.org",
      directTLS: .records([Self.record(30, 0, "c", 443), Self.record(10, 0, "a", 5223)]),
      startTLS: .records([Self.record(20, 0, "b")])
    ) { $0.lowerBound }
    #expect(targets.map(\.description) == ["a:5223", "b:5222", "c:443"])
    #expect(targets.map(\.security) == [.directTLS, .startTLS, .directTLS])
  }

  /// Weights 0, 10, 30, 60: the running sums are 0, 10, 40, 100.
  @Test(arguments: [
    (0, "zero"), (1, "ten"), (10, "ten"), (11, "thirty"), (40, "thirty"), (41, "sixty"), (100, "sixty"),
  ])
  func `within a priority the draw falls by weight`(draw: Int, first: String) {
    let records = [
      Self.record(1, 60, "sixty"), Self.record(1, 10, "ten"), Self.record(1, 0, "zero"), Self.record(1, 30, "thirty"),
    ].sorted { $0.weight < $1.weight }
    var draws = [draw]
    var ranges: [ClosedRange<Int>] = []
    let targets = ConnectionTarget.ordered(domain: "example.org", directTLS: .none, startTLS: .records(records)) {
      ranges.append($0)
      return draws.popLast() ?? $0.lowerBound
    }
    #expect(targets.first?.host == first)
    #expect(Set(targets.map(\.host)) == ["zero", "ten", "thirty", "sixty"])
    #expect(ranges.first == 0...100)
  }

  @Test func `a domain cannot make us try without end`() {
    let records = (0..<200).map { Self.record(UInt16($0), 65535, "h\($0)") }
    let targets = ConnectionTarget.ordered(domain: "example.org", directTLS: .none, startTLS: .records(records)) {
      $0.upperBound
    }
    #expect(targets.count == ConnectionTarget.maximumCount)
  }
}
