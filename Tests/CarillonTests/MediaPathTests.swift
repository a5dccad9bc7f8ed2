import CarillonTesting
import JingleCore
import MediaEngine
import Testing
import XMPPCore

@testable import Carillon

/// Calls with a peer whose signalling is scripted and whose media path is real.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct MediaPathTests {
  private let server = InMemoryServer()
  private let loop = GLibLoop(name: "test-peer")
  private let ear = Ear()

  private enum Fault {
    case none, neverStartsDTLS, showsAnotherCertificate, expectsAnotherCertificate, fingerprintFirst
  }

  /// Alice calls Bob, who takes part with this fault until the call is over.
  private func call(
    _ fault: Fault, until isEnough: @escaping @Sendable (CallEvent) -> Bool = { _ in false }
  ) async throws -> (events: [CallEvent], error: CallError?, end: Jingle.Reason?) {
    try await withScript(server, "bob@localhost/desk") { [server, ear, loop] bob in
      try await withClient(server, "alice@localhost/laptop", configure: { $0.connectTimeout = .seconds(2) }) { alice in
        async let result = alice.follow("bob@localhost", .tone(440, to: ear), until: isEnough)
        let (offer, caller) = try await bob.takeCall()
        let endpoint = MediaEndpoint(on: loop, .init(.init(controlling: false, localAddresses: ["127.0.0.1"])))
        try await Self.answer(offer, of: caller, as: bob, with: endpoint, fault)
        let (end, _) = try await bob.jingle(.sessionTerminate)
        let (events, error) = await result
        await endpoint.close()
        return (events, error, end.reason)
      }
    }
  }

  private static func answer(
    _ offer: Jingle, of caller: JID, as bob: ScriptedPeer, with endpoint: MediaEndpoint, _ fault: Fault
  ) async throws {
    let local = try await endpoint.start()
    var shown = local.fingerprint
    if fault == .showsAnotherCertificate { shown.bytes[0] ^= 1 }
    let fingerprint = try #require(DTLSFingerprint(shown, setup: .active))
    let candidates = local.candidates.map { JingleCore.ICECandidate($0, id: "c", hidesBase: false) }
    var transport = ICETransport(
      ufrag: local.credentials.ufrag, pwd: local.credentials.password, fingerprints: [fingerprint],
      candidates: candidates)
    if fault == .fingerprintFirst {
      let early = Jingle.Content(name: "audio", transport: .iceUDP(ICETransport(fingerprints: [fingerprint])))
      try await bob.request(Jingle(.transportInfo, sid: offer.sid, contents: [early]), to: caller)
      transport.fingerprints = []
    }
    try await bob.request(Jingle(.sessionAccept, sid: offer.sid, contents: [.audio(.opus, transport)]), to: caller)

    let remote = try #require(offer.contents.first?.transport?.iceUDP)
    await endpoint.setRemote(try #require(remote.credentials))
    await endpoint.addRemote(remote.candidates.compactMap { MediaEngine.ICECandidate($0) })
    guard fault != .neverStartsDTLS else { return }
    var expected = CertificateFingerprint(try #require(remote.fingerprint))
    if fault == .expectsAnotherCertificate { expected.bytes[0] ^= 1 }
    await endpoint.setDTLS(role: .client, fingerprints: [expected])
  }

  @Test func `a peer that does it right connects`() async throws {
    let (events, error, end) = try await call(.none) { $0.isConnected }
    #expect(error == nil && events.report != nil && end?.condition == .success)
  }

  @Test func `a fingerprint that came ahead of the answer is the one that is checked`() async throws {
    let (events, error, _) = try await call(.fingerprintFirst) { $0.isConnected }
    #expect(error == nil && events.report != nil)
  }

  @Test func `a peer that never starts DTLS is given up, and the message says so`() async throws {
    let (events, error, end) = try await call(.neverStartsDTLS)
    #expect(error?.code == .connectivity && end?.condition == .connectivityError)
    #expect(error?.message.contains("DTLS was started, and the peer never answered it") == true)
    #expect(events.names == ["proposed", "proceeding", "connecting", "ended"])
    #expect(ear.count == 0)
  }

  @Test func `a certificate that was not announced ends the call before a sample is heard`() async throws {
    let (events, error, end) = try await call(.showsAnotherCertificate)
    #expect(error?.code == .connectivity && end?.condition == .securityError)
    #expect(error?.message.contains("does not match the fingerprint") == true)
    #expect(events.report == nil && ear.count == 0)
  }

  @Test func `a peer that does not trust this side's certificate does not connect`() async throws {
    let (events, error, _) = try await call(.expectsAnotherCertificate)
    #expect(error?.code == .connectivity)
    #expect(events.report == nil && ear.count == 0)
  }

  @Test func `relay only without a relay says what is missing`() async throws {
    try await withClient(server, "bob@localhost/desk", onCall: answering { .tone(880) }) { [server] _ in
      try await withClient(server, "alice@localhost/laptop", configure: { $0.relayOnly = true }) { alice in
        let (_, error) = await alice.follow("bob@localhost", .tone(440))
        #expect(error?.code == .connectivity)
        #expect(error?.message.contains("names no TURN server") == true)
      }
    }
  }
}
