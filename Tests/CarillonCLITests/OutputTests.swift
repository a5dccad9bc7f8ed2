import Foundation
import Testing

@testable import Carillon
@testable import CarillonCLI

@Suite struct OutputTests {
  @Test(
    "Strings become JSON strings that any reader takes",
    arguments: [
      ("plain", #""plain""#), ("\"\\/", #""\"\\/""#), ("a\nb\r\tc", #""a\nb\r\tc""#),
      ("\u{0}\u{1B}", #""\u0000\u001b""#),
      ("\u{2028}", #""\u2028""#), ("é🎵", #""é🎵""#),
    ])
  func quoted(string: String, json: String) throws {
    #expect(JSONValue.quoted(string) == json)
    #expect(try JSONDecoder().decode([String].self, from: Data("[\(json)]".utf8)) == [string])
  }

  @Test(
    "Numbers have three decimals at most and are never NaN",
    arguments: [
      (0, "0"), (1, "1"), (21.6, "21.6"), (0.0004, "0"), (-0.0004, "0"), (-12.3456, "-12.346"), (1e6, "1000000"),
      (.nan, "null"), (.infinity, "null"), (1.0005, "1.001"),
    ] as [(Double, String)])
  func numbers(number: Double, text: String) {
    #expect(JSONValue.number(number).text == text)
  }

  @Test("Objects keep the order of their keys, and a later value replaces an earlier")
  func objects() {
    var object: JSONObject = ["event": "x", "time": "t"]
    object["b"] = 1
    object["a"] = true
    object["nothing"] = nil
    #expect(object.merging(["b": 2]).text == #"{"event":"x","time":"t","b":2,"a":true}"#)
    object["time"] = nil
    #expect(object.text == #"{"event":"x","b":1,"a":true}"#)
  }

  @Test("Objects and arrays stand inside objects")
  func nested() throws {
    let object: JSONObject = ["list": .array([1, "two", .object(["three": true]), .array([])]), "end": 4]
    #expect(object.text == #"{"list":[1,"two",{"three":true},[]],"end":4}"#)
    #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(object.text.utf8)) }
  }

  @Test("Times are RFC 3339 in UTC")
  func times() {
    #expect(Date(timeIntervalSince1970: 1_772_366_400.25).rfc3339 == "2026-03-01T12:00:00.250Z")
    #expect(Date(timeIntervalSince1970: 0).rfc3339 == "1970-01-01T00:00:00.000Z")
  }

  @Test("Every event of a call has its name and its keys")
  func events() throws {
    let device = try JID("bob@example.test/phone")
    #expect(CallEvent.proposed.object?.name == "call.proposed")
    #expect(CallEvent.ringing(device: device).object?.fields["device"] == "bob@example.test/phone")
    #expect(CallEvent.proceeding(device: device).object?.name == "call.proceeding")
    #expect(CallEvent.connecting.object?.name == "call.connecting")
    let connected = try #require(CallEvent.connected(.sample).object)
    #expect(connected.name == "call.connected")
    #expect(
      connected.fields.text
        == #"{"setupTimeMs":412,"iceTimeMs":21.6,"dtlsTimeMs":2.5,"localCandidateType":"host","remoteCandidateType":"relay","#
        + #""dtlsVersion":"DTLS 1.2","srtpProfile":"SRTP_AEAD_AES_128_GCM","transport":"udp","#
        + #""audioCodec":"opus/48000/2","#
        + #""videoCodec":"VP8/90000","bundled":true,"ringingTimeMs":35,"proceedTimeMs":40}"#)
    let ended = try #require(CallEvent.ended(.sample).object)
    #expect(ended.name == "call.ended")
    for key in [
      "reason", "endedByPeer", "durationMs", "roundTripTimeMs", "availableOutgoingBitrate", "audioVideoOffsetMs",
      "packetsRejected", "streams",
    ] {
      #expect(ended.fields[key] != nil, "\(key)")
    }
    #expect(ended.fields["durationMs"] == JSONValue.number(10_000))
  }

  static let screen = CallContent(
    name: "v2", kind: .video, categories: [.slides, .main], sends: false, receives: true)

  @Test(
    "Every change in a call has its event and its line",
    arguments: [
      (
        .added(screen, byPeer: true), "call.mediaAdded",
        #"{"content":"v2","media":"video","categories":["main","slides"],"sends":false,"receives":true,"byPeer":true}"#,
        "the peer added video 'v2' (main, slides), received"
      ),
      (
        .refused(screen), "call.mediaRefused",
        #"{"content":"v2","media":"video","categories":["main","slides"],"sends":false,"receives":true,"byPeer":true}"#,
        "the peer wanted to add video 'v2' (main, slides), received; it was not taken"
      ),
      (
        .modified(CallContent(name: "a", kind: .audio, categories: [], sends: true, receives: true), byPeer: false),
        "call.mediaModified",
        #"{"content":"a","media":"audio","categories":[],"sends":true,"receives":true,"byPeer":false}"#,
        "changed audio 'a', sent and received"
      ),
      (
        .removed(screen, byPeer: false), "call.mediaRemoved",
        #"{"content":"v2","media":"video","categories":["main","slides"],"sends":false,"receives":true,"byPeer":false}"#,
        "removed v2"
      ),
      (.muted(.audio, byPeer: false), "call.muted", #"{"media":"audio","byPeer":false}"#, "muted"),
      (.muted(.video, byPeer: true), "call.muted", #"{"media":"video","byPeer":true}"#, "the peer's camera is off"),
      (.unmuted(.video, byPeer: false), "call.unmuted", #"{"media":"video","byPeer":false}"#, "camera on"),
      (
        .unmuted(.audio, byPeer: true), "call.unmuted", #"{"media":"audio","byPeer":true}"#,
        "the peer can be heard again"
      ),
      (.held(byPeer: true), "call.held", #"{"byPeer":true}"#, "the peer put the call on hold"),
      (.unheld(byPeer: false), "call.unheld", #"{"byPeer":false}"#, "back from hold"),
      (
        .dtmf("#", duration: .milliseconds(100), byPeer: true), "call.dtmf",
        ##"{"digit":"#","durationMs":100,"byPeer":true}"##, "the peer pressed #"
      ),
      (.restartingICE(byPeer: false), "call.iceRestarting", #"{"byPeer":false}"#, "looking for a new path"),
      (
        .pathChanged(
          MediaPath(
            localCandidateType: "relay", remoteCandidateType: "host", transport: "udp", relayProtocol: "tls")),
        "call.pathChanged",
        #"{"localCandidateType":"relay","remoteCandidateType":"host","transport":"udp","relayProtocol":"tls"}"#,
        "media goes another way now: relay (TURN over TLS) to host"
      ),
      (
        .pathChanged(MediaPath(localCandidateType: "host", remoteCandidateType: "prflx", transport: "tcp")),
        "call.pathChanged",
        #"{"localCandidateType":"host","remoteCandidateType":"prflx","transport":"tcp"}"#,
        "media goes another way now: host to prflx over TCP"
      ),
      (
        .mediaMissing(.audio, .consentLost), "call.mediaMissing", #"{"media":"audio","cause":"consentLost"}"#,
        "no audio has come for 5 s: nothing at all comes from the peer any more; the path is lost"
      ),
      (.mediaFound(.video), "call.mediaFound", #"{"media":"video"}"#, "video comes again"),
      (
        .signallingLost, "call.signallingLost", "{}", "the connection to the server is down; the call goes on"
      ),
      (
        .signallingRestored, "call.signallingRestored", "{}",
        "the connection to the server is back, and the call with it"
      ),
    ] as [(CallEvent, String, String, String)])
  func changes(event: CallEvent, name: String, fields: String, line: String) {
    #expect(event.object?.name == name)
    #expect(event.object?.fields.text == fields)
    #expect(event.line == line)
  }

  @Test("What another device of the account decides has an event")
  func elsewhere() {
    #expect(CallError(.answeredElsewhere, "").elsewhere?.name == "call.answeredElsewhere")
    #expect(CallError(.declinedElsewhere, "").elsewhere?.name == "call.declinedElsewhere")
    #expect(CallError(.declined, "").elsewhere == nil)
    #expect(CommandFailure(CallError(.declinedElsewhere, "")).exitCode == 10)
  }

  @Test("Missed calls and invitations say who, what and when")
  func missed() throws {
    let missed = Client.MissedCall(
      peer: try JID("bob@example.test/phone"), sid: "a7", media: [.video, .audio],
      proposedAt: .milliseconds(1_772_366_400_250))
    #expect(
      missed.object.text
        == #"{"peer":"bob@example.test/phone","sid":"a7","media":["audio","video"],"#
        + #""proposedAt":"2026-03-01T12:00:00.250Z"}"#)
    #expect(missed.line == "missed a call from bob@example.test (phone) at 2026-03-01T12:00:00.250Z")
    let invitation = Client.CallInvitation(
      inviter: try JID("bob@example.test"), id: "i1", media: [.audio],
      meetings: [
        .jingle(sid: "s", device: try JID("bob@example.test/phone")), .uri("https://meet.example/x"),
        .room(try JID("room@muc.example.test")),
      ])
    #expect(
      invitation.object.text
        == #"{"peer":"bob@example.test","id":"i1","media":["audio"],"meetings":["#
        + #"{"type":"jingle","sid":"s","device":"bob@example.test/phone"},{"type":"uri","uri":"https://meet.example/x"},"#
        + #"{"type":"room","room":"room@muc.example.test"}]}"#)
    #expect(
      invitation.line
        == "bob@example.test invites to a call: bob@example.test (phone) or https://meet.example/x or "
        + "room@muc.example.test")
  }

  @Test("The live line shows what is not as usual, until it is")
  func liveLineStates() {
    var state = CallState.sample()
    func shown() -> String { CallStatistics.sample.liveLine(width: 200, state: state, keys: true) }
    #expect(shown().hasPrefix("?=keys  connected 0:10  out "))
    let changes: [(CallEvent, String, CallEvent)] = [
      (.muted(.audio, byPeer: false), "[muted]", .unmuted(.audio, byPeer: false)),
      (.muted(.video, byPeer: false), "[camera off]", .unmuted(.video, byPeer: false)),
      (.muted(.audio, byPeer: true), "[peer muted]", .unmuted(.audio, byPeer: true)),
      (.muted(.video, byPeer: true), "[peer's camera off]", .unmuted(.video, byPeer: true)),
      (.held(byPeer: false), "[on hold]", .unheld(byPeer: false)),
      (.held(byPeer: true), "[held by the peer]", .unheld(byPeer: true)),
      (
        .restartingICE(byPeer: true), "[new path]",
        .pathChanged(MediaPath(localCandidateType: "host", remoteCandidateType: "host"))
      ),
      (.signallingLost, "[no server]", .signallingRestored),
      (.mediaMissing(.video, .notSent), "[no video]", .mediaFound(.video)),
    ]
    for (event, flag, end) in changes {
      state.note(event)
      #expect(shown().hasPrefix("?=keys  connected 0:10  \(flag)  out "))
      state.note(end)
      #expect(!shown().contains("[" + flag.dropFirst()))
    }
    state.note(.held(byPeer: false))
    state.note(.muted(.audio, byPeer: false))
    #expect(shown().contains("[on hold, muted]"))
  }

  @Test("A restart of which nothing more is told is forgotten in the end")
  func forgottenRestart() {
    var state = CallState.sample()
    state.note(.statistics(CallStatistics(duration: .seconds(5))))
    state.note(.restartingICE(byPeer: false))
    state.note(.statistics(CallStatistics(duration: .seconds(30))))
    #expect(state.isRestarting)
    state.note(.statistics(CallStatistics(duration: .seconds(36))))
    #expect(!state.isRestarting)
  }

  @Test("The summary tells the last path and what happened on the way")
  func changedPath() throws {
    var state = CallState.sample()
    for event: CallEvent in [
      .held(byPeer: true), .unheld(byPeer: true), .held(byPeer: false), .restartingICE(byPeer: false),
      .pathChanged(
        MediaPath(localCandidateType: "relay", remoteCandidateType: "relay", relayProtocol: "tcp")),
    ] { state.note(event) }
    let summary = try #require(
      CallSummary(peer: try JID("bob@example.test"), state: state, end: .sample, recordings: []))
    #expect(
      summary.text.contains(
        """

        path            relay (TURN over TCP) to relay, DTLS 1.2, SRTP_AEAD_AES_128_GCM, bundled
                        1 ICE restart, 2 holds
        sent audio
        """))
  }

  @Test("Every stream of a kind has its rows in the summary")
  func twoVideos() throws {
    var end = CallEnd.sample
    end.statistics?.outbound.append(.init(kind: .video, codec: "VP9/90000", ssrc: 9))
    let summary = try #require(
      CallSummary(peer: try JID("bob@example.test"), state: .sample(), end: end, recordings: []))
    #expect(summary.text.split(separator: "\n").filter { $0.hasPrefix("sent video") }.count == 2)
  }

  @Test("Every stream has an object of its own, with the W3C's names")
  func streams() throws {
    let object = try JSONSerialization.jsonObject(with: Data(CallStatistics.sample.object.text.utf8))
    let streams = try #require((object as? [String: Any])?["streams"] as? [[String: Any]])
    #expect(
      streams.map { "\($0["type"] ?? "") \($0["kind"] ?? "")" } == [
        "outbound-rtp audio", "outbound-rtp video", "inbound-rtp audio", "inbound-rtp video",
      ])
    let common: Set = ["type", "kind", "mid", "ssrc", "codec", "bitrate", "nackCount"]
    let sent = common.union([
      "packetsSent", "bytesSent", "targetBitrate", "remotePacketsLost", "remoteJitterMs", "retransmittedPacketsSent",
      "retransmittedBytesSent",
    ])
    let received = common.union([
      "packetsReceived", "packetsLost", "bytesReceived", "jitterMs", "jitterBufferDelayMs", "packetsRecovered",
      "retransmittedPacketsReceived",
    ])
    let video: Set = [
      "pliCount", "firCount", "framesDropped", "frameWidth", "frameHeight", "framesPerSecond",
    ]
    #expect(Set(streams[0].keys) == sent.union(["audioLevelDBFS"]))
    #expect(
      Set(streams[1].keys)
        == sent.union(video).union(["framesEncoded", "keyFramesEncoded", "framesSent", "totalEncodeTimeMs"]))
    #expect(Set(streams[2].keys) == received.union(["audioLevelDBFS", "concealedSamples"]))
    #expect(
      Set(streams[3].keys)
        == received.union(video).union([
          "framesReceived", "framesDecoded", "keyFramesDecoded", "freezeCount", "totalFreezesDurationMs",
          "totalDecodeTimeMs",
        ]))
    #expect(streams[1]["ssrc"] as? Int == 4_000_000_000)
    #expect(streams[3]["totalFreezesDurationMs"] as? Double == 240)
  }

  @Test("What was not measured has no key")
  func missingFigures() {
    let statistics = CallStatistics(
      duration: .seconds(1), outbound: [.init(kind: .audio, codec: "opus/48000/2", ssrc: 1)],
      inbound: [.init(kind: .video, codec: "VP8/90000")])
    #expect(
      statistics.object.text
        == #"{"durationMs":1000,"packetsRejected":0,"streams":[{"type":"outbound-rtp","kind":"audio","mid":"","ssrc":1,"#
        + #""codec":"opus/48000/2","packetsSent":0,"bytesSent":0,"retransmittedPacketsSent":0,"#
        + #""retransmittedBytesSent":0,"nackCount":0},{"type":"inbound-rtp","kind":"video","mid":"","codec":"VP8/90000","#
        + #""packetsReceived":0,"packetsLost":0,"bytesReceived":0,"jitterMs":0,"jitterBufferDelayMs":0,"#
        + #""packetsRecovered":0,"retransmittedPacketsReceived":0,"nackCount":0,"concealedSamples":0}]}"#)
  }

  @Test("The summary of a call tells all that was measured, stream by stream")
  func summary() throws {
    let summary = CallSummary(
      peer: try JID("bob@example.test/phone"), state: .sample(), end: .sample, recordings: ["bob.webm", "bob.y4m"])
    #expect(
      summary?.text == """
        call            bob@example.test/phone, 10.0 s, ended by the peer (success)
        set-up          412 ms: ringing 35 ms, proceed 40 ms, ICE 22 ms, DTLS 2.5 ms
        path            host to relay, DTLS 1.2, SRTP_AEAD_AES_128_GCM, bundled
        sent audio      opus/48000/2, 32 kbit/s, 500 packets, 5 lost (1.0 %), jitter 1.5 ms
        received audio  opus/48000/2, 31 kbit/s, 490 packets, 10 lost (2.0 %), jitter 2.1 ms, buffered 40 ms, 200 ms concealed
        sent video      VP8/90000, 640x360, 1.2 Mbit/s
                        1500 packets, 3 lost (0.2 %), 12 sent again, jitter 1.5 ms
                        300 frames encoded, 2 of them key frames, 1 left out
                        asked by 4 NACK, 1 PLI
        received video  VP8/90000, 1280x720, 2.0 Mbit/s
                        2000 packets, 0 lost (0 %), 7 recovered, jitter 3.0 ms, buffered 45 ms
                        299 frames, 298 decoded, 1 missing, 1 freeze of 240 ms
                        asked with 3 NACK
        audio to video  pictures 12 ms after their sound
        round trip      41 ms
        recording       bob.webm
        recording       bob.y4m
        """)
  }

  @Test("The summary of a call with sound alone is short")
  func audioSummary() throws {
    var (report, end) = (ConnectionReport.sample, CallEnd.sample)
    report.videoCodec = nil
    end.statistics?.outbound.removeLast()
    end.statistics?.inbound.removeLast()
    end.statistics?.audioVideoOffset = nil
    end.statistics?.packetsRejected = 2
    let summary = CallSummary(peer: try JID("bob@example.test/phone"), state: .sample(report), end: end, recordings: [])
    #expect(
      summary?.text == """
        call            bob@example.test/phone, 10.0 s, ended by the peer (success)
        set-up          412 ms: ringing 35 ms, proceed 40 ms, ICE 22 ms, DTLS 2.5 ms
        path            host to relay, DTLS 1.2, SRTP_AEAD_AES_128_GCM
        sent audio      opus/48000/2, 32 kbit/s, 500 packets, 5 lost (1.0 %), jitter 1.5 ms
        received audio  opus/48000/2, 31 kbit/s, 490 packets, 10 lost (2.0 %), jitter 2.1 ms, buffered 40 ms, 200 ms concealed
        rejected        2 packets that did not authenticate
        round trip      41 ms
        """)
  }

  @Test("A call that never connected has no summary")
  func noSummary() throws {
    #expect(CallSummary(peer: try JID("bob@example.test"), state: CallState(), end: .sample, recordings: []) == nil)
  }

  @Test("The live line fits the terminal")
  func liveLine() {
    #expect(
      CallStatistics.sample.liveLine(width: 200)
        == "connected 0:10  out [######  ] 640x360 30 fps 1.2 Mbit/s  in [        ] 1280x720 29 fps 998 kbit/s  "
        + "loss 0.4 %  jitter 3.0 ms  round trip 41 ms")
    var heard = CallStatistics.sample
    heard.outbound.removeLast()
    heard.inbound.removeLast()
    #expect(
      heard.liveLine(width: 200)
        == "connected 0:10  out [######  ]  in [        ]  loss 2.0 %  jitter 2.1 ms  round trip 41 ms")
    #expect(CallStatistics.sample.liveLine(width: 20).count == 20)
    #expect(CallStatistics.sample.liveLine(width: -1).isEmpty)
  }

  @Test(
    "Level bars go from −60 to 0 dBFS",
    arguments: [(-127, 0), (-60, 0), (-30, 4), (0, 8), (6, 8), (.nan, 0)] as [(Double, Int)])
  func bars(level: Double, steps: Int) {
    let bar = levelBar(level)
    #expect(bar.count == 10)
    #expect(bar.count { $0 == "#" } == steps)
  }

  @Test(
    "Spans are as precise as people want them",
    arguments: [
      (.microseconds(440), "0.4 ms"), (.milliseconds(41), "41 ms"), (.milliseconds(2_310), "2.31 s"),
      (.seconds(12), "12.0 s"), (.seconds(200), "3:20"), (.seconds(3_723), "1:02:03"), (.zero, "0.0 ms"),
    ] as [(Duration, String)])
  func spans(duration: Duration, text: String) {
    #expect(duration.short == text)
  }

  @Test(
    "Loss is a share of what was sent",
    arguments: [(0, 0, "0 %"), (1, 199, "0.5 %"), (5, 0, "100.0 %"), (-3, 10, "0 %")])
  func loss(lost: Int, arrived: Int, text: String) {
    #expect(percentage(lost: lost, arrived: arrived) == text)
  }

  @Test("Control characters from the network do not reach the terminal")
  func terminal() {
    #expect(printable("a\u{1B}[2Jb\u{202E}c\nd") == "a\u{FFFD}[2Jb\u{FFFD}c\u{FFFD}d")
  }

  @Test("The benchmark's table and object tell the same")
  func benchmark() {
    let result = CallBenchmark.Result(
      concurrent: 50, setupTimes: [.milliseconds(30), .milliseconds(24), .milliseconds(90), .milliseconds(26)],
      processorTimePerSecond: 0.0281, bytesPerCall: 300 * 1024)
    #expect(
      result.text == """
        set-up, median of 4       28 ms
        set-up, worst             90 ms
        processor, both ends      0.028 s per second
        memory, 50 calls at once  300 KiB per call, both ends
        """)
    #expect(
      result.object.text
        == #"{"calls":4,"setupMedianMs":28,"setupWorstMs":90,"processorSecondsPerSecond":0.028,"concurrentCalls":50,"#
        + #""residentBytesPerCall":307200}"#)
  }
}

extension CallState {
  /// Of a call that connected as the report says.
  static func sample(_ report: ConnectionReport = .sample) -> CallState {
    var state = CallState()
    state.note(.connected(report))
    return state
  }
}

extension ConnectionReport {
  static let sample = ConnectionReport(
    setupTime: .milliseconds(412), ringingTime: .milliseconds(35), proceedTime: .milliseconds(40),
    iceTime: .microseconds(21_600), dtlsTime: .microseconds(2_500), path: MediaPath(localCandidateType: "host", remoteCandidateType: "relay"),
    dtlsVersion: "DTLS 1.2", srtpProfile: "SRTP_AEAD_AES_128_GCM",
    audioCodec: "opus/48000/2", videoCodec: "VP8/90000", isBundled: true)
}

extension CallStatistics {
  static let sample: CallStatistics = {
    var sentAudio = OutboundStreamStatistics(kind: .audio, codec: "opus/48000/2", ssrc: 1)
    (sentAudio.packetsSent, sentAudio.bytesSent, sentAudio.bitrate) = (500, 40_000, 32_000)
    sentAudio.targetBitrate = 32_000
    (sentAudio.remotePacketsLost, sentAudio.remoteJitter, sentAudio.audioLevel) = (5, .microseconds(1_500), -18)

    var sentVideo = OutboundStreamStatistics(kind: .video, codec: "VP8/90000", ssrc: 4_000_000_000)
    (sentVideo.packetsSent, sentVideo.bytesSent, sentVideo.bitrate) = (1_500, 1_500_000, 1_210_000)
    sentVideo.targetBitrate = 2_500_000
    (sentVideo.remotePacketsLost, sentVideo.remoteJitter) = (3, .microseconds(1_500))
    (sentVideo.retransmittedPacketsSent, sentVideo.nackCount, sentVideo.pliCount) = (12, 4, 1)
    var outbound = OutboundVideoStatistics()
    (outbound.framesEncoded, outbound.keyFramesEncoded, outbound.framesSent) = (300, 2, 300)
    (outbound.framesDropped, outbound.frameWidth, outbound.frameHeight) = (1, 640, 360)
    (outbound.framesPerSecond, outbound.totalEncodeTime) = (29.9, .milliseconds(420))
    sentVideo.video = outbound

    var receivedAudio = InboundStreamStatistics(kind: .audio, codec: "opus/48000/2")
    (receivedAudio.ssrc, receivedAudio.packetsReceived, receivedAudio.packetsLost) = (3, 490, 10)
    (receivedAudio.bytesReceived, receivedAudio.bitrate, receivedAudio.audioLevel) = (39_000, 31_000, -127)
    (receivedAudio.jitter, receivedAudio.jitterBufferDelay) = (.microseconds(2_100), .milliseconds(40))
    receivedAudio.concealedSamples = 9_600

    var receivedVideo = InboundStreamStatistics(kind: .video, codec: "VP8/90000")
    (receivedVideo.ssrc, receivedVideo.packetsReceived, receivedVideo.bytesReceived) = (4, 2_000, 2_500_000)
    (receivedVideo.bitrate, receivedVideo.jitter) = (998_000, .milliseconds(3))
    receivedVideo.jitterBufferDelay = .milliseconds(45)
    (receivedVideo.packetsRecovered, receivedVideo.nackCount) = (7, 3)
    var inbound = InboundVideoStatistics()
    (inbound.framesReceived, inbound.framesDecoded, inbound.keyFramesDecoded) = (299, 298, 1)
    (inbound.framesDropped, inbound.freezeCount, inbound.totalFreezesDuration) = (1, 1, .milliseconds(240))
    (inbound.frameWidth, inbound.frameHeight, inbound.framesPerSecond) = (1280, 720, 29.2)
    receivedVideo.video = inbound

    return CallStatistics(
      duration: .seconds(10), roundTripTime: .milliseconds(41), availableOutgoingBitrate: 2_800_000,
      audioVideoOffset: .milliseconds(-12), outbound: [sentAudio, sentVideo], inbound: [receivedAudio, receivedVideo])
  }()
}

extension CallEnd {
  static let sample = CallEnd(
    reason: "success", endedByPeer: true, duration: .seconds(10), statistics: .sample, error: nil)
}
