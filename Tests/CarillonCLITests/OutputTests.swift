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
        + #""dtlsVersion":"DTLS 1.2","srtpProfile":"SRTP_AEAD_AES_128_GCM","audioCodec":"opus/48000/2","#
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

  @Test("Every stream has an object of its own, with the W3C's names")
  func streams() throws {
    let object = try JSONSerialization.jsonObject(with: Data(CallStatistics.sample.object.text.utf8))
    let streams = try #require((object as? [String: Any])?["streams"] as? [[String: Any]])
    #expect(
      streams.map { "\($0["type"] ?? "") \($0["kind"] ?? "")" } == [
        "outbound-rtp audio", "outbound-rtp video", "inbound-rtp audio", "inbound-rtp video",
      ])
    let common: Set = ["type", "kind", "ssrc", "codec", "bitrate", "nackCount"]
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
        == #"{"durationMs":1000,"packetsRejected":0,"streams":[{"type":"outbound-rtp","kind":"audio","ssrc":1,"#
        + #""codec":"opus/48000/2","packetsSent":0,"bytesSent":0,"retransmittedPacketsSent":0,"#
        + #""retransmittedBytesSent":0,"nackCount":0},{"type":"inbound-rtp","kind":"video","codec":"VP8/90000","#
        + #""packetsReceived":0,"packetsLost":0,"bytesReceived":0,"jitterMs":0,"jitterBufferDelayMs":0,"#
        + #""packetsRecovered":0,"retransmittedPacketsReceived":0,"nackCount":0,"concealedSamples":0}]}"#)
  }

  @Test("The summary of a call tells all that was measured, stream by stream")
  func summary() throws {
    let summary = CallSummary(
      peer: try JID("bob@example.test/phone"), report: .sample, end: .sample, recordings: ["bob.webm", "bob.y4m"])
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
    let summary = CallSummary(peer: try JID("bob@example.test/phone"), report: report, end: end, recordings: [])
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
    #expect(CallSummary(peer: try JID("bob@example.test"), report: nil, end: .sample, recordings: []) == nil)
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
