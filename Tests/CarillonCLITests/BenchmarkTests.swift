import Foundation
import MediaCodecs
import Testing

@testable import CarillonCLI

@Suite struct BenchmarkTests {
  @Test("A thread's processor time is found by its name, and grows only with its work", .timeLimit(.minutes(1)))
  func threadClock() {
    let before = ThreadClock.ownSeconds
    var sum = 0.0
    while ThreadClock.ownSeconds - before < 0.02 { sum += 1 }
    #expect(sum > 0)
    // The first thread is named after the program; nobody's name begins with this.
    #expect(ThreadClock(prefix: "no such thread").seconds == 0)
    #expect(ThreadClock(prefix: "").seconds >= 0.02)
  }

  @Test("The table of calls with pictures has a column for each and says how each row was measured")
  func video() {
    var small = VideoBenchmark.Result(size: VideoSize(width: 640, height: 360))
    (small.encode, small.send, small.receive, small.decode) = (0.0421, 0.0052, 0.0061, 0.0152)
    (small.codecThreads, small.process) = (0.0701, 0.0912)
    (small.framesSent, small.framesDecoded, small.framesLost) = (300, 299, 1)
    small.sentSize = VideoSize(width: 640, height: 360)
    small.bitrate = 1_210_000
    small.ages = [30, 10, 20, 41].map { .milliseconds($0) }
    let large = VideoBenchmark.Result(size: VideoSize(width: 1280, height: 720))
    let lines = VideoBenchmark.text([small, large]).split(separator: "\n")
    #expect(lines[0].contains("640x360@30") && lines[0].contains("1280x720@30"))
    #expect(lines[1] == "encode           0.042       0.000        s per second inside the encoder, by the clock")
    #expect(lines.contains { $0.hasPrefix("bitrate          1.2 Mbit/s  -            at the end") })
    #expect(lines.contains { $0.hasPrefix("latency, median  25 ms       -") })
    #expect(lines.contains { $0.hasPrefix("latency, worst   41 ms       -") })
    #expect(small.object["latencyMedianMs"] == .number(25))
    #expect(small.object["framesLost"] == 1)
    #expect(large.object["latencyWorstMs"] == nil)
    #expect(large.object["bitrate"] == nil)
  }

  @Test("The table of packets tells allocations only where they were counted, and libsrtp2's apart")
  func packets() {
    var result = RTPBenchmark.Result(profile: .aeadAES128GCM)
    result.meanPacketSize = 1_200
    result.send = .init(packets: 1_000, seconds: 0.0016, allocations: 5_100)
    result.protect = .init(packets: 1_000, seconds: 0.00125, allocations: 5_000)
    result.receive = .init(packets: 1_000, seconds: 0.002)
    let lines = RTPBenchmark.Result.text([result]).split(separator: "\n")
    #expect(lines[1].contains("625000") && lines[1].contains("1.60"))
    #expect(lines[1].hasSuffix("0.100 and 5.000 in libsrtp2"))
    #expect(lines[2].hasSuffix("5.000"))
    #expect(lines[3].hasSuffix("not counted (use Tools/Benchmarks/rtp)"))
    #expect(result.object["sendPacketsPerSecond"] == .number(625_000))
    #expect(result.object["sendAllocationsPerPacket"] == .number(5.1))
    #expect(result.object["receiveAllocationsPerPacket"] == nil)
  }

  @Test("Without a counter nothing is counted")
  func noCounter() {
    #expect(AllocationCounter() == nil)
  }
}
