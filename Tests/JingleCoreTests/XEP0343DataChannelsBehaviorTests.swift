import JingleCore
import Testing
import XMPPCore

@Suite struct XEP0343DataChannelsBehaviorTests {
  static func content(_ form: DataChannelTransport.Form, _ ice: ICETransport) -> Jingle.Content {
    let description = XMLElement("description", namespace: "urn:xmpp:jingle:apps:file-transfer:5")
    return Jingle.Content(
      name: "file", description: .unknown(description),
      transport: Jingle.Transport(DataChannelTransport(form: form, ice: ice, port: 5000)))
  }

  @Test(arguments: DataChannelTransport.Form.allCases)
  func `Candidates go out in the form of the offer, and those that come in belong to its ICE connection`(
    form: DataChannelTransport.Form
  ) throws {
    let ours = ICETransport(ufrag: "ours", pwd: "p0")
    let theirs = ICETransport(ufrag: "theirs", pwd: "p1")
    var session = JingleSession(initiating: sid, own: romeo, peer: juliet)
    session.initiate([Self.content(form, ours)])
    let token = try #require(drain(&session).token)
    _ = session.take(.result(nil), for: token)

    session.send(ICETransport(candidates: [candidate(1)]), for: "file")
    let sent = try #require(drain(&session).requests.first?.contents.first?.transport)
    let plain = Jingle.Transport.iceUDP(ICETransport(ufrag: "ours", pwd: "p0", candidates: [candidate(1)]))
    switch form {
    case .iceUDP: #expect(sent == plain)
    case .wrapped, .ice:
      #expect(sent.dataChannel?.form == form)
      #expect(sent.dataChannel?.ice == plain.iceUDP)
    }

    var answer = ICETransport(ufrag: "theirs", pwd: "p1")
    answer.candidates = []
    _ = session.take(.sessionAccept, [Self.content(form, answer)], id: "1")
    let late = Jingle.Transport(
      DataChannelTransport(form: form, ice: ICETransport(ufrag: "theirs", pwd: "p1", candidates: [candidate(2)])))
    let update = Jingle.Content(name: "file", transport: late)
    var expected = theirs
    expected.candidates = [candidate(2)]
    #expect(
      session.take(.transportInfo, [update], id: "2").events == [.receivedTransport(expected, content: "file")])
  }
}
