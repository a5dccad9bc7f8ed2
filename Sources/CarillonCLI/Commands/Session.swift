import ArgumentParser
import Carillon
import Glibc
import Logging

/// What the commands that call have in common: a client that serves, work beside it, and an end in good order.
struct Session: Sendable {
  let console: Console
  let interruption = Interruption()
  let calls = ActiveCalls()
  let switchboard: Switchboard

  init(console: Console, logLevel: Logger.Level?) {
    self.console = console
    switchboard = Switchboard(console: console)
    let level = logLevel ?? .warning
    LoggingSystem.bootstrap { label in
      var handler = StreamLogHandler.standardError(label: label)
      handler.logLevel = level
      return handler
    }
  }

  /// Runs the servers until `work` is done, one of them fails or the user interrupts; calls are hung up before the end.
  ///
  /// - Parameter input: where keys or commands come from meanwhile.
  func run(
    _ servers: [@Sendable () async throws -> Void], input: StandardInput.Mode? = nil,
    work: @escaping @Sendable () async throws -> Void
  ) async throws {
    let input = input.map { StandardInput($0) }
    defer { input?.stop() }
    try await withThrowingTaskGroup(of: Void.self) { group in
      defer { group.cancelAll() }
      if let input {
        group.addTask {
          await switchboard.run(input)
          // The end of input ends nothing else.
          while true { try await Task.sleep(for: .seconds(3_600)) }
        }
      }
      for server in servers { group.addTask { try await server() } }
      group.addTask { try await work() }
      group.addTask {
        for await _ in interruption.signals {
          console.progress("hanging up")
          await calls.hangUpAll()
          return
        }
      }
      do { try await group.next() } catch {
        // After Ctrl-C it is the signal that says how the command ended, whatever the call made of it.
        if interruption.signal == nil { throw error }
      }
      if let signal = interruption.signal { throw CommandFailure(signal: signal) }
    }
  }

  /// Runs a command's body and turns what it throws into a message and an exit code.
  ///
  /// - Parameter results: where results and events go.
  static func reporting(
    _ output: OutputOptions, results: Int32 = STDOUT_FILENO, _ body: (Console) async throws -> Void
  ) async throws {
    let console = Console(json: output.json, output: results)
    do { try await body(console) } catch let error as ExitCode { throw error } catch {
      let failure = CommandFailure(error)
      if failure.code != "interrupted" { console.failure(failure) }
      throw ExitCode(failure.exitCode)
    }
  }

  /// Handlers that tell when the client is online.
  func handlers(fields: JSONObject = [:]) -> Client.Handlers {
    var handlers = Client.Handlers()
    handlers.onOnline = { jid in
      console.progress("online as \(jid)")
      console.event("online", fields.merging(["account": .string("\(jid)")]))
    }
    return handlers
  }
}
