import RTPCore
import Testing

@testable import MediaEngine

@Suite("SRTP", .timeLimit(.minutes(1)))
struct SRTPSessionTests {
  static let profiles = SRTPProfile.offered

  @Test("carries RTP and RTCP both ways", arguments: profiles)
  func roundTrip(profile: SRTPProfile) throws {
    let (a, b) = try pair(profile)
    for (sender, receiver) in [(a, b), (b, a)] {
      let rtp = packet(number: 1)
      var wire = rtp
      try sender.protectRTP(&wire)
      #expect(wire.count == rtp.count + (profile == .aeadAES128GCM ? 16 : 10))
      #expect(wire[12...].prefix(4) != rtp[12...].prefix(4), "the payload is not in the clear")
      #expect(try unprotectRTP(wire, by: receiver) == rtp)

      var report = Self.report
      try sender.protectRTCP(&report)
      #expect(report.count == Self.report.count + (profile == .aeadAES128GCM ? 20 : 14))
      #expect(try unprotectRTCP(report, by: receiver) == Self.report)
    }
  }

  @Test("protects in the room that the session leaves behind a packet", arguments: profiles)
  func inPlace(profile: SRTPProfile) throws {
    let (a, _) = try pair(profile)
    #expect(SRTPSession.maximumTrailer <= RTPSession.trailerCapacity)
    var wire = packet(number: 1)
    wire.reserveCapacity(wire.count + RTPSession.trailerCapacity)
    let before = wire.withUnsafeBytes { $0.baseAddress }
    try a.protectRTP(&wire)
    #expect(wire.withUnsafeBytes { $0.baseAddress } == before)
  }

  @Test("refuses a packet with any byte changed", arguments: profiles)
  func tampered(profile: SRTPProfile) throws {
    let (a, b) = try pair(profile)
    var wire = packet(number: 1)
    try a.protectRTP(&wire)
    var report = Self.report
    try a.protectRTCP(&report)
    // The payload and what follows it: nothing but the tag can tell.
    for index in 12..<wire.count {
      var changed = wire
      changed[index] ^= 0x40
      let error = #expect(throws: SRTPError.self) { try unprotectRTP(changed, by: b) }
      #expect(error?.isAuthenticationFailure == true)
    }
    for index in 0..<12 {
      var changed = wire
      changed[index] ^= 0x40
      #expect(throws: SRTPError.self) { try unprotectRTP(changed, by: b) }
    }
    for index in report.indices {
      var changed = report
      changed[index] ^= 0x40
      #expect(throws: SRTPError.self) { try unprotectRTCP(changed, by: b) }
    }
    #expect(try unprotectRTP(wire, by: b) == packet(number: 1), "the true one still passes")
    #expect(try unprotectRTCP(report, by: b) == Self.report)
  }

  @Test("refuses a packet cut at any length", arguments: profiles)
  func truncated(profile: SRTPProfile) throws {
    let (a, b) = try pair(profile)
    // With a header extension and contributing sources, for their lengths are read before the tag is checked.
    var wire: [UInt8] = [0x92, 111, 0, 1, 0, 0, 3, 0xC0, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 9, 0xBE, 0xDE, 0, 1, 0x10, 1, 0, 0]
    wire += [1, 2, 3, 4]
    try a.protectRTP(&wire)
    var report = Self.report
    try a.protectRTCP(&report)
    for count in 0..<wire.count { #expect(throws: SRTPError.self) { try unprotectRTP(Array(wire[..<count]), by: b) } }
    for count in 0..<report.count {
      #expect(throws: SRTPError.self) { try unprotectRTCP(Array(report[..<count]), by: b) }
    }
    #expect(throws: Never.self) { try unprotectRTP(wire, by: b) }
  }

  @Test("refuses a replay, and says that it is none of forgery", arguments: profiles)
  func replay(profile: SRTPProfile) throws {
    let (a, b) = try pair(profile)
    var wire = packet(number: 1)
    try a.protectRTP(&wire)
    _ = try unprotectRTP(wire, by: b)
    let error = #expect(throws: SRTPError.self) { try unprotectRTP(wire, by: b) }
    #expect(error?.isAuthenticationFailure == false)
    var report = Self.report
    try a.protectRTCP(&report)
    _ = try unprotectRTCP(report, by: b)
    #expect(throws: SRTPError.self) { try unprotectRTCP(report, by: b) }
  }

  @Test("refuses another key", arguments: profiles)
  func wrongKey(profile: SRTPProfile) throws {
    let (a, _) = try pair(profile)
    let (_, stranger) = try pair(profile, seed: 9)
    var wire = packet(number: 1)
    try a.protectRTP(&wire)
    let error = #expect(throws: SRTPError.self) { try unprotectRTP(wire, by: stranger) }
    #expect(error?.isAuthenticationFailure == true)
  }

  @Test("goes on where sequence numbers wrap, with losses and reordering", arguments: profiles)
  func wraps(profile: SRTPProfile) throws {
    let (a, b) = try pair(profile)
    var held: (Int, [UInt8])?
    for index in stride(from: 60_000, to: 140_000, by: 13) {
      var wire = packet(number: UInt16(truncatingIfNeeded: index))
      try a.protectRTP(&wire)
      // One in seven comes a packet late, one in eleven never.
      if let (late, wire) = held {
        held = nil
        #expect(try unprotectRTP(wire, by: b) == packet(number: UInt16(truncatingIfNeeded: late)))
      }
      if index % 7 == 0 { held = (index, wire) } else if index % 11 != 0 { _ = try unprotectRTP(wire, by: b) }
    }
  }

  @Test("follows a peer through many SSRCs, remembering the last ones only")
  func manySources() throws {
    let (a, b) = try pair(.aeadAES128GCM)
    var first: [UInt8] = []
    for ssrc: UInt32 in 1...200 {
      var wire = packet(number: 1, ssrc: ssrc)
      try a.protectRTP(&wire)
      if ssrc == 1 { first = wire }
      #expect(try unprotectRTP(wire, by: b) == packet(number: 1, ssrc: ssrc))
      if ssrc < 32 { #expect(throws: SRTPError.self, "a replay") { try unprotectRTP(first, by: b) } }
      if ssrc > 168 { #expect(throws: SRTPError.self, "a replay") { try unprotectRTP(wire, by: b) } }
    }
    var next = packet(number: 2, ssrc: 1)
    try a.protectRTP(&next)
    #expect(try unprotectRTP(next, by: b) == packet(number: 2, ssrc: 1), "a forgotten one may come back")
  }

  // MARK: Helpers

  static let report: [UInt8] = [0x80, 201, 0, 1, 0, 0, 0, 7]

  private func packet(number: UInt16, ssrc: UInt32 = 7) -> [UInt8] {
    [0x80, 111, UInt8(number >> 8), UInt8(number & 0xFF), 0, 0, 3, 0xC0]
      + (0..<4).map { UInt8(truncatingIfNeeded: ssrc >> (24 - 8 * $0)) } + [0x08, 1, 2, 3, 4, 5, 6, 7]
  }

  private func pair(_ profile: SRTPProfile, seed: UInt8 = 1) throws -> (SRTPSession, SRTPSession) {
    let exported = (0..<2 * (profile.keyLength + profile.saltLength)).map { UInt8($0) &* 7 &+ seed }
    return (
      try SRTPSession(SRTPKeyingMaterial(profile: profile, exported: exported, role: .client)),
      try SRTPSession(SRTPKeyingMaterial(profile: profile, exported: exported, role: .server))
    )
  }

  private func unprotectRTP(_ packet: [UInt8], by session: SRTPSession) throws -> [UInt8] {
    var packet = packet
    return try packet.withUnsafeMutableBytes { Array(try session.unprotectRTP($0)) }
  }

  private func unprotectRTCP(_ packet: [UInt8], by session: SRTPSession) throws -> [UInt8] {
    var packet = packet
    return try packet.withUnsafeMutableBytes { Array(try session.unprotectRTCP($0)) }
  }
}
