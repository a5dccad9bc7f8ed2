import JingleCore
import MediaTime
import Testing
import XMPPCore

/// What all clients have in common.
@Suite struct EveryPeerTests {
  static let device = JID(localpart: "eve", domainpart: "any.example", resourcepart: "phone")
  static let other = JID(localpart: "eve", domainpart: "any.example", resourcepart: "desk")

  @Test func `A call is proposed to the account, taken by a device, and offered to that device under the same id`() {
    var proposal = OutgoingProposal(
      id: PeerCall.sid, own: PeerCall.own, peer: Self.device.bare, media: ["audio"], patience: .seconds(30),
      at: Instant(nanoseconds: 0))
    guard case .send(let propose, let account)? = proposal.nextOutput() else {
      Issue.record("nothing is proposed")
      return
    }
    #expect(account == Self.device.bare)
    #expect(propose.element.namespace == "urn:xmpp:jingle-message:0")
    proposal.receive(JingleMessage(id: PeerCall.sid, .ringing), from: Self.other)
    proposal.receive(JingleMessage(id: PeerCall.sid, .proceed), from: Self.device)
    #expect(proposal.nextOutput() == .event(.ringing(device: Self.other)))
    #expect(proposal.nextOutput() == .event(.proceeded(device: Self.device)))

    var session = JingleSession(initiating: proposal.id, own: proposal.own, peer: Self.device)
    session.initiate([Ours.audio])
    guard case .request(let offer, to: Self.device, _)? = session.nextOutput() else {
      Issue.record("nothing is offered")
      return
    }
    #expect(offer.sid == PeerCall.sid)
  }

  @Test(arguments: ["content-accept", "content-modify", "content-remove", "transport-info", "description-info"])
  func `Whoever created a content, peers call it the initiator's`(action: String) throws {
    // This side was called and adds video, which is the responder's.
    var call = try PeerCall(calledBy: Self.device, words("session-initiate", "", DinoTests.offered))
    let offered = try #require(try jingle(words("session-initiate", "", DinoTests.offered)).contents.first)
    call.accept([try Ours.answer(offered, [.opus()])])
    #expect(call.say { $0.add([Ours.video]) }.flatMap(\.contents).map(\.creator) == [.responder])
    func accept(_ creator: String) -> String {
      """
      <content creator='\(creator)' name='video' senders='both'>
        <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>
          <payload-type id='100' name='VP8' clockrate='90000'/>
        </description>
        <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='u' pwd='p'/>
      </content>
      """
    }
    if action != "content-accept" { _ = try call.take(words("content-accept", "", accept("responder"))) }
    let events = try call.take(words(action, "", accept("initiator"))).events
    #expect(events.count == 1)
    #expect((call.session.agreedContents["video"] == nil) == (action == "content-remove"))
  }

  @Test(arguments: [["audio", "video"], ["0", "1"], ["microphone", "webcam"], ["a b", "ü/'\"<"]])
  func `Whatever contents are called, they are called so in turn`(names: [String]) throws {
    let offer = Jingle(
      .sessionInitiate, sid: PeerCall.sid,
      contents: zip(names, [Ours.audio, Ours.video]).map {
        var content = $1
        content.name = $0
        return content
      }, groups: [ContentGroup(.bundle, names)])
    var call = try PeerCall(calledBy: Self.device, offer.element.serialized())
    let answers = try offer.contents.map { try Ours.answer($0, [.opus(), .vp8()]) }
    let said =
      call.say { $0.accept(answers, groups: offer.groups) }
      + call.say { session in
        for name in names { session.send(ICETransport(candidates: [candidate(1)]), for: name) }
        session.sendInfo(RTPInfo.mute(creator: nil, name: names[0]))
        session.modify(names[1], senders: .none)
      }
    let written = try said.map { try Jingle($0.element) }
    #expect(written[0].contents.map(\.name) == names)
    #expect(written[0].groups == [ContentGroup(.bundle, names)])
    #expect(written.dropFirst().flatMap(\.contents).map(\.name) == names + [names[1]])
    #expect(written.flatMap(\.payloads).compactMap { RTPInfo($0) } == [.mute(creator: .initiator, name: names[0])])
  }

  @Test func `Opus is written with 48 kHz and two channels, or libwebrtc falls to PCMU`() throws {
    let offer = try #require(Ours.audio.description?.element.first("payload-type", RTPDescription.namespace))
    #expect(offer[attribute: "name"] == "opus")
    #expect(offer[attribute: "clockrate"] == "48000")
    #expect(offer[attribute: "channels"] == "2")
    // So it is in the answer to one who leaves the channels out.
    let answer = RTPDescription(media: "audio", payloadTypes: [RTPPayloadType(id: 96, name: "OPUS", clockrate: 48000)])
      .answer(supporting: [.opus()])
    let answered = answer?.element.first("payload-type", RTPDescription.namespace)
    #expect(answered?[attribute: "channels"] == "2")
  }
}
