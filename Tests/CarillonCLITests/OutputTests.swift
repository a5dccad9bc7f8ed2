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
        + #""dtlsVersion":"DTLS 1.2","srtpProfile":"SRTP_AEAD_AES_128_GCM","audioCodec":"opus/48000/2","ringingTimeMs":35,"#
        + #""proceedTimeMs":40}"#)
    let ended = try #require(CallEvent.ended(.sample).object)
    #expect(ended.name == "call.ended")
    for key in [
      "reason", "endedByPeer", "durationMs", "packetsSent", "packetsReceived", "packetsLost", "remotePacketsLost",
      "jitterMs",
      "remoteJitterMs", "roundTripTimeMs",
    ] {
      #expect(ended.fields[key] != nil, "\(key)")
    }
    #expect(ended.fields["durationMs"] == JSONValue.number(10_000))
  }

  @Test("What was not measured has no key")
  func missingFigures() {
    var statistics = CallStatistics.sample
    statistics.roundTripTime = nil
    statistics.receivedAudioLevel = nil
    #expect(statistics.object["roundTripTimeMs"] == nil)
    #expect(statistics.object["receivedAudioLevelDBFS"] == nil)
  }

  @Test("The summary of a call tells all that was measured")
  func summary() throws {
    let summary = CallSummary(
      peer: try JID("bob@example.test/phone"), report: .sample, end: .sample, recording: "bob.wav")
    #expect(
      summary?.text == """
        call        bob@example.test/phone, 10.0 s, ended by the peer (success)
        set-up      412 ms: ringing 35 ms, proceed 40 ms, ICE 22 ms, DTLS 2.5 ms
        path        host to relay, DTLS 1.2, SRTP_AEAD_AES_128_GCM
        audio       opus/48000/2
        sent        500 packets, 5 lost (1.0 %), jitter 1.5 ms
        received    490 packets, 10 lost (2.0 %), jitter 2.1 ms, 200 ms concealed
        round trip  41 ms
        recording   bob.wav
        """)
  }

  @Test("A call that never connected has no summary")
  func noSummary() throws {
    #expect(CallSummary(peer: try JID("bob@example.test"), report: nil, end: .sample, recording: nil) == nil)
  }

  @Test("The live line fits the terminal")
  func liveLine() {
    #expect(
      CallStatistics.sample.liveLine(width: 200)
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
    iceTime: .microseconds(21_600), dtlsTime: .microseconds(2_500), localCandidateType: "host",
    remoteCandidateType: "relay", dtlsVersion: "DTLS 1.2", srtpProfile: "SRTP_AEAD_AES_128_GCM",
    audioCodec: "opus/48000/2")
}

extension CallStatistics {
  static let sample = CallStatistics(
    duration: .seconds(10), sentAudioLevel: -18, receivedAudioLevel: -127, packetsSent: 500, packetsReceived: 490,
    packetsLost: 10, remotePacketsLost: 5, jitter: .microseconds(2_100), remoteJitter: .microseconds(1_500),
    roundTripTime: .milliseconds(41), bytesSent: 40_000, bytesReceived: 39_000, concealedSamples: 9_600,
    packetsRejected: 0)
}

extension CallEnd {
  static let sample = CallEnd(
    reason: "success", endedByPeer: true, duration: .seconds(10), statistics: .sample, error: nil)
}
