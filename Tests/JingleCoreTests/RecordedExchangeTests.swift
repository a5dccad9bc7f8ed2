import JingleCore
import Testing
import XMPPCore

@Suite struct RecordedExchangeTests {
  static let dino = JID(localpart: "dinoa", domainpart: "example.test", resourcepart: "dino-dinoa")
  static let chromium = JID(localpart: "browser", domainpart: "example.test", resourcepart: "km2shodB72oL")
  static let sid = "1a2c04bc-bf2c-4f09-b491-4d288c3f32af"

  @Test(arguments: [
    dinosOffer, chromiumsAnswer, dinosCandidate, chromiumsCandidates, chromiumsEnd, chromiumsVideoOffer, dinosMute,
    dinosVideo, dinosVideoOffer, dinosVideoAnswer,
  ])
  func `What real peers sent is read without loss`(text: String) throws {
    let read = try jingle(text)
    #expect(try Jingle(read.element) == read)
    for content in read.contents {
      #expect(content.description?.rtp?.droppedPayloadTypes ?? 0 == 0)
      #expect(content.description?.rtp?.droppedDetails ?? 0 == 0)
      #expect(content.transport?.iceUDP?.droppedCandidates ?? 0 == 0)
    }
  }

  @Test func `Dino's offer is understood`() throws {
    let offer = try jingle(dinosOffer)
    let content = try #require(offer.contents.first)
    let description = try #require(content.description?.rtp)
    #expect(description.encryption?.isRequired == false)
    #expect(description.encryption?.cryptos.count == 1)
    #expect(description.rtcpMux)
    #expect(description.extensions.isEmpty)
    let transport = try #require(content.transport?.iceUDP)
    #expect(transport.candidates.map(\.isForRTCP) == [false, false, false, true, true, true])
    #expect(transport.fingerprint?.setup == .actpass)
    #expect(try DTLSRole.answering(transport.fingerprint?.setup).setup == .active)

    let answer = try #require(description.answer(supporting: [.opus(), RTPCapability(name: "PCMU", clockrate: 8000)]))
    #expect(answer.payloadTypes.map(\.id) == [111, 0])
    #expect(answer.encryption == nil)
    #expect(answer.agreements(answering: description).first?.sending.parameter("useinbandfec") == "1")
  }

  @Test func `Chromium's answer to it agrees on Opus first`() throws {
    let offer = try #require(try jingle(dinosOffer).contents.first?.description?.rtp)
    let answer = try #require(try jingle(chromiumsAnswer).contents.first?.description?.rtp)
    #expect(answer.sources.map(\.cname) == ["qEqybNNUf9VmN+/N"])
    let agreements = try offer.agreements(answeredBy: answer)
    #expect(agreements.map(\.sending.id) == [111, 9, 0, 8])
    #expect(agreements.first?.sending.parameter("minptime") == "10")
  }

  @Test func `Chromium's bundle of audio and video is read, and video is not taken`() throws {
    let offer = try jingle(chromiumsVideoOffer)
    #expect(offer.groups == [ContentGroup(.bundle, ["0", "1"])])
    #expect(offer.payloads.isEmpty)
    #expect(offer.contents.map(\.name) == ["0", "1"])
    let audio = try #require(offer.contents[0].description?.rtp)
    #expect(audio.payloadTypes.first { $0.name == "red" }?.parameters == [RTPPayloadType.Parameter("", "111/111")])
    #expect(audio.answer(supporting: [.opus()])?.payloadTypes.map(\.id) == [111])
    #expect(offer.contents[1].description?.rtp?.answer(supporting: [.opus()]) == nil)
  }

  @Test func `Dino calls this side, as recorded`() throws {
    let offer = try jingle(dinosOffer)
    var session = try JingleSession(answering: offer, from: Self.dino, id: "1", own: Self.chromium)
    #expect(drain(&session) == [.acknowledge(id: "1", to: Self.dino), .event(.initiated(offer))])

    session.accept(try jingle(chromiumsAnswer).contents)
    guard case .request(let accept, Self.dino, let token) = session.nextOutput() else { throw CancellationError() }
    // The recorded answer is what this side sends too, word for word.
    #expect(accept.element == (try jingle(chromiumsAnswer)).element)

    var ports: [UInt16] = []
    for (id, text) in [("2", dinosCandidate), ("3", dinosSecondCandidate)] {
      session.receive(try jingle(text), from: Self.dino, id: id)
      #expect(next(&session) == .acknowledge(id: id, to: Self.dino))
      guard case .event(.receivedTransport(let transport, "audio")) = session.nextOutput() else {
        throw CancellationError()
      }
      ports += transport.candidates.filter { !$0.isForRTCP }.map(\.port)
    }
    #expect(ports == [49290])
    session.receive(.result(nil), for: token)

    let candidates = try #require(try jingle(chromiumsCandidates).contents[0].transport?.iceUDP)
    session.send(candidates, for: "audio")
    #expect(drain(&session) == [.request(try jingle(chromiumsCandidates), to: Self.dino, 2)])
    session.terminate(Jingle.Reason(.success))
    #expect(next(&session) == .request(try jingle(chromiumsEnd), to: Self.dino, 3))
  }

  @Test func `This side calls Chromium, as recorded`() throws {
    var session = JingleSession(initiating: Self.sid, own: Self.dino, peer: Self.chromium)
    session.initiate(try jingle(dinosOffer).contents)
    #expect(next(&session) == .request(try jingle(dinosOffer), to: Self.chromium, 1))
    session.receive(.result(nil), for: 1)
    session.receive(try jingle(chromiumsAnswer), from: Self.chromium, id: "1")
    session.receive(try jingle(chromiumsCandidates), from: Self.chromium, id: "2")
    session.receive(try jingle(chromiumsEnd), from: Self.chromium, id: "3")
    let candidates = try #require(try jingle(chromiumsCandidates).contents[0].transport?.iceUDP)
    #expect(
      drain(&session) == [
        .event(.acknowledged),
        .acknowledge(id: "1", to: Self.chromium), .event(.accepted(try jingle(chromiumsAnswer))),
        .acknowledge(id: "2", to: Self.chromium), .event(.receivedTransport(candidates, content: "audio")),
        .acknowledge(id: "3", to: Self.chromium), .event(.terminated(Jingle.Reason(.success), byPeer: true)),
      ])
  }

  @Test func `Dino never gets two contents in one transport-info`() throws {
    let offer = try jingle(chromiumsVideoOffer)
    var session = JingleSession(initiating: offer.sid, own: Self.chromium, peer: Self.dino)
    session.initiate(offer.contents, groups: offer.groups)
    for name in ["0", "1", "0", "1"] { session.send(transport(1), for: name) }
    session.receive(.result(nil), for: 1)
    let updates = drain(&session).compactMap { output -> [String]? in
      guard case .request(let jingle, _, _) = output, jingle.action == .transportInfo else { return nil }
      return jingle.contents.map(\.name)
    }
    #expect(updates == [["0"], ["1"]])
  }

  @Test func `Dino's mute is acknowledged and told, and its video is declined without harm to the call`() throws {
    var mute = try jingle(dinosMute)
    mute.sid = Self.sid
    var video = try jingle(dinosVideo)
    video.sid = Self.sid
    var session = JingleSession(initiating: Self.sid, own: Self.chromium, peer: Self.dino)
    session.initiate(try jingle(dinosOffer).contents)
    session.receive(try jingle(chromiumsAnswer), from: Self.dino, id: "1")
    _ = drain(&session)
    session.receive(mute, from: Self.dino, id: "2")
    #expect(next(&session) == .acknowledge(id: "2", to: Self.dino))
    guard case .event(.receivedInfo(let news)) = session.nextOutput() else { throw CancellationError() }
    #expect(RTPInfo(news) == .mute(creator: .initiator, name: "audio"))
    session.receive(video, from: Self.dino, id: "3")
    #expect(next(&session) == .acknowledge(id: "3", to: Self.dino))
    guard case .request(let answer, _, _) = session.nextOutput() else { throw CancellationError() }
    #expect(answer.action == .contentReject)
    #expect(answer.contents == [Jingle.Content(name: "video")])
    #expect(session.phase == .active)
  }
}
