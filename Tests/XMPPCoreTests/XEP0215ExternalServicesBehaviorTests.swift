import Testing
import XMPPCore

@Suite struct XEP0215ExternalServicesBehaviorTests {
  /// XEP-0215, example 5.
  private let push = """
    <iq from='shakespeare.lit' id='lh3f1vc7' to='bard@shakespeare.lit/globe' type='set'>\
    <services xmlns='urn:xmpp:extdisco:2' type='turn'>\
    <service action='add' host='stun.shakespeare.lit' port='9999' transport='udp' type='turn' \
    username='1nas9dlm3hzl89d0b9v' password='gh9023ljjdk109iajqn'/>\
    <service action='modify' host='relay.shakespeare.lit' port='9999' transport='udp' type='turn' \
    username='bnsv120afg48snsdozp' password='zxp023na98dsfahn1kk'/>\
    <service action='delete' host='192.0.2.1' port='8889' type='turn'/></services></iq>
    """

  private func example() throws -> ExternalServices {
    try ExternalServices(stanza(XEP0215ExternalServicesCodingTests.answer))
  }

  @Test("A push from the own server changes the list and is acknowledged")
  func pushed() throws {
    var list = try example()
    let answer = list.receivePush(try IQ(stanza(push)), account: try jid("bard@shakespeare.lit/globe"))
    #expect(
      answer?.element
        == (try stanza("<iq from='bard@shakespeare.lit/globe' to='shakespeare.lit' id='lh3f1vc7' type='result'/>")))
    #expect(
      list.services.map(\.description) == [
        "stun:stun.shakespeare.lit:9998?transport=udp", "stun:192.0.2.1:8888?transport=udp",
        "ftp:ftp.shakespeare.lit:20?transport=tcp", "turn:stun.shakespeare.lit:9999?transport=udp",
        "turn:relay.shakespeare.lit:9999?transport=udp",
      ])
    #expect(list.services.last?.username == "bnsv120afg48snsdozp")
    #expect(list.services.allSatisfy { $0.action == .add })
  }

  @Test("A push from elsewhere is refused", arguments: ["evil.lit", "bard@shakespeare.lit/other", "shakespeare.lit/x"])
  func refused(sender: String) throws {
    var list = try example()
    var iq = try IQ(stanza(push))
    iq.from = try jid(sender)
    let answer = list.receivePush(iq, account: try jid("bard@shakespeare.lit/globe"))
    #expect(answer == iq.reply(.error(StanzaError(.serviceUnavailable))))
    #expect(list == (try example()))
  }

  @Test("Other requests are not taken for a push")
  func others() throws {
    var list = try example()
    let account = try jid("bard@shakespeare.lit/globe")
    #expect(list.receivePush(IQ(id: "1", .get(ExternalServices.request())), account: account) == nil)
    #expect(list.receivePush(IQ(id: "1", .set(Ping.request)), account: account) == nil)
  }

  @Test("Pushes never grow the list beyond its bound")
  func bound() {
    var list = ExternalServices()
    for round in 0..<4 {
      list.apply(ExternalServices((1...60).map { ExternalService(.stun, host: "a\(round)", port: $0) }))
    }
    #expect(list.services.count == 64)
  }

  @Test("Credentials that were asked for go to the service that waits for them")
  func credentials() throws {
    var list = try ExternalServices(
      stanza(
        """
        <services xmlns='urn:xmpp:extdisco:2'><service type='stun' host='turn.shakespeare.lit'/>\
        <service type='turn' host='turn.shakespeare.lit' port='3478' restricted='1'/>\
        <service type='turn' host='other.lit' restricted='1'/></services>
        """))
    #expect(list.services.map(\.needsCredentials) == [false, true, true])
    list.apply(
      credentials: try ExternalServices(
        stanza(
          """
          <credentials xmlns='urn:xmpp:extdisco:2'><service host='turn.shakespeare.lit' type='turn' \
          password='jj929jkj5sadjfj93v3n' username='nb78932lkjlskjfdb7g8' expires='2002-09-10T23:08:25Z'/></credentials>
          """)))
    #expect(list.services.map(\.needsCredentials) == [false, false, true])
    #expect(list.services[1].username == "nb78932lkjlskjfdb7g8")
    #expect(list.services[0].username == nil)
    #expect(!list.services[1].isExpired(at: .seconds(1_031_699_304)))
    #expect(list.services[1].isExpired(at: .seconds(1_031_699_305)))
  }
}
