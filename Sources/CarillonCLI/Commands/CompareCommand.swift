import ArgumentParser
import Carillon

struct CompareCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare", abstract: "Tell how much of a source is in a recording.",
    discussion: """
      Finds the delay at which the two are most alike and prints their normalised cross-correlation there (1 is the \
      same sound, 0 nothing in common), the delay, and the longest silence in the recording where the source sounds.
      """)

  @Argument(
    help: ArgumentHelp("What was played: PATH, tone[:HZ] or speech.", valueName: "src"),
    transform: { try AudioArgument(argument: $0) })
  var source: AudioArgument

  @Argument(help: ArgumentHelp("What was recorded, in any common format.", valueName: "path"))
  var recording: String

  @Option(help: "Fail when the correlation is less than this.")
  var minimum: Double?

  @OptionGroup(title: "Output") var output: OutputOptions

  func run() async throws {
    try await Session.reporting(output) { console in
      let recorded = try Sound(reading: try AudioArgument.file(recording).makeSource())
      // A tone or the spoken words never end: as much of them as the recording can hold is enough.
      let played = try Sound(reading: try source.makeSource(), limit: recorded.duration + .seconds(5))
      guard let likeness = Likeness(source: played, recording: recorded) else {
        throw CommandFailure(
          code: "failed", message: "There is nothing to compare: the source or the recording is silent or empty.",
          status: .failure)
      }
      console.result(likeness.text)
      console.event("compare", likeness.object)
      if let minimum, likeness.correlation < minimum {
        throw CommandFailure(
          code: "failed",
          message:
            "The recording is not what was played: its correlation is \(decimal(likeness.correlation, places: 3)), "
            + "less than \(decimal(minimum, places: 3, trimmed: true)).",
          status: .failure)
      }
    }
  }
}
