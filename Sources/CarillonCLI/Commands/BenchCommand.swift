import ArgumentParser
import Carillon

struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure.", subcommands: [BenchCallCommand.self])
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
