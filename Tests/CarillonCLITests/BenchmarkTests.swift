import Carillon
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

@Suite struct FileBenchmarkTests {
  @Test("The table of transfers has the plain copies beside them, and says how much of the hash's speed each reaches")
  func table() {
    var direct = FileBenchmark.Result(plan: .init(way: .socks5, size: 2_000_000_000))
    (direct.bytes, direct.seconds, direct.route) = (2_000_000_000, 2, "direct")
    direct.sender = .init(processorSeconds: 1.5, bytes: 3 << 20)
    direct.receiver = .init(processorSeconds: 2.5, bytes: 9 << 20)
    var slow = FileBenchmark.Result(plan: .init(way: .inBand, size: 1_000_000, hasOneBlockUnderWay: true))
    (slow.bytes, slow.seconds, slow.route) = (1_000_000, 20, "in band")
    let yardsticks = FileBenchmark.Yardsticks(
      hash: 1.6e9, tcp: 3e9, hashedTCP: 1.2e9, congestionControl: "cubic", copy: 2e9)
    let lines = FileBenchmark.text([direct, slow], yardsticks, delay: .zero).split(separator: "\n")
    func cells(_ line: Int) -> [String] {
      lines[line].split(separator: "  ").map { $0.trimmingCharacters(in: .whitespaces) }
    }
    #expect(cells(1) == ["sha-256, one core", "1600", "in memory"])
    #expect(cells(3) == ["TCP, hashed", "1200", "75 %", "loopback, cubic, hashed at both ends, nothing kept"])
    #expect(cells(5) == ["s5b", "2.00 GB", "1000", "63 %", "0.75", "1.25", "3.0", "9.0", "direct"])
    #expect(cells(6).prefix(4) == ["ibb, one at a time", "1.00 MB", "0.05", "0.0 %"])
    let object = FileBenchmark.object(direct, delay: .zero)
    #expect(object["megabytesPerSecond"] == .number(1000))
    #expect(object["receiverProcessorSecondsPerGigabyte"] == .number(1.25))
    // The path between the two is in the process that sends.
    #expect(FileBenchmark.object(direct, delay: .milliseconds(80))["senderBytesAboveIdle"] == nil)
    let delayed = FileBenchmark.text([slow], yardsticks, delay: .milliseconds(80)).split(separator: "\n")
    #expect(delayed[5].hasSuffix("in band, 80 ms a round trip"))
  }

  @Test("What is slow is measured with less, SOCKS5 also without the receiver's disk, and in-band streams also as simple clients have them")
  func plans() {
    let plans = FileBenchmark.Plan.all([.socks5, .inBand], size: 1 << 30, isDelayed: false, server: true)
    #expect(plans.map(\.name) == ["s5b", "s5b, as a stream", "ibb", "ibb, one at a time"])
    #expect(plans.map(\.size) == [1 << 30, 1 << 30, 256 << 20, 64 << 20])
    let delayed = FileBenchmark.Plan.all([.inBand], size: 1 << 30, isDelayed: true, server: false)
    #expect(delayed.map(\.size) == [64 << 20, 1 << 20])
    #expect(FileBenchmark.Plan.all([.inBand], size: 10, isDelayed: true, server: true).map(\.size) == [10, 10])
  }

  @Test("The command takes sizes, transports and a delay, and refuses what makes no sense")
  func arguments() throws {
    let command = try #require(
      try BenchFilesCommand.parse(["--size", "10M", "--transport", "s5b", "--transport", "ibb", "--delay", "80ms"]))
    #expect(command.size?.bytes == 10_000_000 && command.ways == [.socks5, .inBand])
    #expect(command.delay == .milliseconds(80))
    for wrong in [["--transport", "pigeon"], ["--runs", "0"], ["--size", "0"], ["--delay", "1h"]] {
      #expect(throws: (any Error).self) { try BenchFilesCommand.parse(wrong) }
    }
  }

  @Test("On a delayed path everything arrives, in order and not sooner", .timeLimit(.minutes(1)))
  func delayedPath() throws {
    let (listener, port) = try LoopbackSocket.bound(SOCK_STREAM)
    defer { close(listener) }
    listen(listener, 1)
    let path = try DelayedTCPPath(to: "127.0.0.1", port, delay: .milliseconds(20))
    let socket = LoopbackSocket.make(SOCK_STREAM)
    defer { close(socket) }
    let start = ContinuousClock.now
    #expect(LoopbackSocket.connect(socket, to: "127.0.0.1", path.port))
    let accepted = accept(listener, nil, nil)
    defer { close(accepted) }
    let sent = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 * 7) }
    #expect(send(socket, sent, sent.count, 0) == sent.count)
    shutdown(socket, Int32(SHUT_WR))
    var received: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while case let count = recv(accepted, &buffer, buffer.count, 0), count > 0 { received += buffer[..<count] }
    #expect(received == sent)
    #expect(ContinuousClock.now - start >= .milliseconds(20))
  }
}
