import ArgumentParser

@main struct CarillonCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "carillon",
    abstract: "Places and answers encrypted Jingle calls over XMPP, and sends and receives files.",
    discussion: """
      Results go to standard output, progress and logs to standard error; --json prints one object per line. Ctrl-C \
      hangs up, a second one aborts.

      Exit codes: 0 success, 1 failure, 10 declined, 11 busy, 12 no answer, 13 nothing in common, 14 ICE or DTLS \
      failed, 64 usage, 65 corrupt data, 69 server unreachable, 73 cannot create output, 75 timed out, 76 protocol \
      error, 77 authentication, 78 configuration, 130 and 143 signals.
      """,
    version: "0.1.0",
    subcommands: [
      CallCommand.self, AnswerCommand.self, SendCommand.self, ReceiveCommand.self, DemoCommand.self, BenchCommand.self,
      CompareCommand.self, SDPCommand.self,
    ])
}
