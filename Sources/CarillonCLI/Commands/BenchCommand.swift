import ArgumentParser
import Carillon
import MediaCodecs
import MediaEngine

struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure.",
    subcommands: [
      BenchCallCommand.self, BenchVideoCommand.self, BenchRTPCommand.self, BenchFilesCommand.self,
      BenchFilesEndCommand.self,
    ])
}

struct BenchCallCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "call", abstract: "Measure calls between two ends in this process, over loopback.")

  @Option(help: "How many calls to set up, one after the other.")
  var calls = 20

  @Option(help: "How many calls to hold at once when memory is measured.")
  var concurrent = 50

  @Option(
    name: .customLong("for"),
    help: ArgumentHelp("How long processor time and memory are watched.", valueName: "duration"),
    transform: { try Duration(argument: $0) })
  var span: Duration = .seconds(10)

  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    guard (1...10_000).contains(calls), (1...1_000).contains(concurrent) else {
      throw ValidationError("--calls is 1 to 10000, --concurrent 1 to 1000.")
    }
  }

  func run() async throws {
    try await Session.reporting(output) { console in
      let session = Session(console: console, logLevel: output.logLevel)
      let clients = try LocalClients(maximumCalls: concurrent + 1)
      let benchmark = CallBenchmark(clients: clients)
      try await clients.run(in: session, caller: Client.Handlers(), callee: benchmark.answering) {
        var result = CallBenchmark.Result(concurrent: concurrent)
        for index in 1...calls {
          console.live { _ in "call \(index) of \(calls)" }
          result.setupTimes.append(try await benchmark.setUpOneCall())
        }
        console.progress("one call for \(span.short)")
        result.processorTimePerSecond = try await benchmark.processorTime(during: span)
        console.progress("\(concurrent) calls at once")
        result.bytesPerCall = try await benchmark.memory(of: concurrent, during: span)
        console.result(result.text)
        console.event("bench.call", result.object)
      }
    }
  }
}

struct BenchVideoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "video", abstract: "Measure calls with pictures between two ends in this process, over loopback.",
    discussion: "Bars at 30 pictures a second, VP8. Each call is watched once its bitrate has settled.")

  @Option(
    name: .customLong("for"),
    help: ArgumentHelp("How long each call is watched.", valueName: "duration"),
    transform: { try Duration(argument: $0) })
  var span: Duration = .seconds(10)

  @Option(
    name: .customLong("size"),
    help: ArgumentHelp("A picture size to measure; may be repeated (default: 640x360 and 1280x720).", valueName: "wxh"),
    transform: { try VideoSize(option: $0) })
  var sizes: [VideoSize] = []

  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    guard sizes.allSatisfy({ $0.width >= 64 && $0.height >= 60 }) else {
      throw ValidationError("Below 64x60 the clock in the picture cannot be read.")
    }
    guard span >= .seconds(2) else { throw ValidationError("--for is 2s at least: statistics come once a second.") }
  }

  func run() async throws {
    try await Session.reporting(output) { console in
      let session = Session(console: console, logLevel: output.logLevel)
      let clients = try LocalClients(maximumCalls: 2, sharesLoop: false)
      let benchmark = VideoBenchmark(clients: clients)
      let sizes =
        sizes.isEmpty ? [VideoSize(width: 640, height: 360), VideoSize(width: 1280, height: 720)] : sizes
      try await clients.run(in: session, caller: Client.Handlers(), callee: benchmark.answering) {
        var results: [VideoBenchmark.Result] = []
        for size in sizes {
          console.progress("\(size.width)x\(size.height) for \((VideoBenchmark.warmUp + span).short)")
          let result = try await benchmark.measure(size, during: span)
          console.event("bench.video", result.object)
          results.append(result)
        }
        console.result(VideoBenchmark.text(results))
      }
    }
  }
}

struct BenchRTPCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rtp", abstract: "Measure the way of video packets through RTP and SRTP, without sockets.",
    discussion: "Tools/Benchmarks/rtp runs this with allocations counted.")

  @Option(help: "How many packets, for each kind of encryption.")
  var packets = 200_000

  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    guard (1_000...100_000_000).contains(packets) else { throw ValidationError("--packets is 1000 to 100000000.") }
  }

  func run() async throws {
    try await Session.reporting(output) { console in
      let results = try [SRTPProfile.aeadAES128GCM, .aes128CMSHA1_80].map { profile in
        console.progress("\(packets) packets with \(profile.name)")
        let result = try RTPBenchmark().run(profile, packets: packets)
        console.event("bench.rtp", result.object)
        return result
      }
      console.result(RTPBenchmark.Result.text(results))
    }
  }
}
