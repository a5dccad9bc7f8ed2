import Carillon
import Foundation
import Testing

@testable import CarillonCLI

@Suite final class SettingsTests {
  private let folder = FileManager.default.temporaryDirectory.appending(path: "carillon-settings-\(UUID())")

  init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(at: folder) }

  private func write(_ text: String, to name: String, mode: Int = 0o600) throws -> String {
    let path = folder.appending(path: name).path
    try Data(text.utf8).write(to: URL(filePath: path))
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    return path
  }

  @Test("A configuration file stands in for options, and its paths are seen from its folder")
  func configurationFile() throws {
    _ = try write("from the file\nsecond line", to: "secret")
    let config = try write(
      "# mine\n\naccount = alice@example.test\npassword-file=secret\nhost = [::1]:5223\r\nrelay-only = yes\nlog-level = info",
      to: "config")
    let settings = try AccountOptions.parse(["--config", config]).settings(environment: [:])
    #expect("\(settings.account)" == "alice@example.test")
    #expect(settings.password == "from the file")
    #expect(settings.server == Client.ServerAddress(host: "::1", port: 5223))
    #expect(settings.relayOnly)
    #expect(settings.logLevel == .info)
    #expect(settings.warning == nil)
  }

  @Test("Options come before the environment, which comes before the file")
  func precedence() throws {
    let config = try write("account = file@example.test\npassword = file", to: "config")
    let secret = try write("option\r\n", to: "secret")
    let options = ["--config", config, "--account", "option@example.test"]
    let environment = ["CARILLON_PASSWORD": "environment"]
    #expect(try AccountOptions.parse(options).settings(environment: [:]).password == "file")
    #expect(try AccountOptions.parse(options).settings(environment: environment).password == "environment")
    let settings = try AccountOptions.parse(options + ["--password-file", secret]).settings(environment: environment)
    #expect(settings.password == "option")
    #expect("\(settings.account)" == "option@example.test")
  }

  @Test("A password that others can read is warned about", arguments: [(0o644, true), (0o640, true), (0o600, false)])
  func openPassword(mode: Int, isWarned: Bool) throws {
    let config = try write("account = a@example.test\npassword = x", to: "config", mode: mode)
    let settings = try AccountOptions.parse(["--config", config]).settings(environment: [:])
    #expect((settings.warning != nil) == isWarned)
  }

  @Test(
    "A configuration file with a mistake is refused with its line",
    arguments: [
      ("account", "line 1"), ("\n\ncolour = red", "line 3"), ("account = a@b\naccount = c@d", "line 2"),
      ("= x", "line 1"),
    ])
  func brokenFile(text: String, place: String) throws {
    let config = try write(text, to: "config")
    let failure = #expect(throws: CommandFailure.self) {
      try AccountOptions.parse(["--config", config]).settings(environment: [:])
    }
    #expect(failure?.exitCode == 78)
    #expect(failure?.message.contains(place) == true)
  }

  @Test(
    "Values in the file that cannot be are refused with exit code 78",
    arguments: ["host = h:x", "log-level = loud", "relay-only = maybe", "ca-file = /nonexistent"])
  func brokenValue(line: String) throws {
    let config = try write("account = a@example.test\npassword = x\n" + line, to: "config")
    let failure = #expect(throws: CommandFailure.self) {
      try AccountOptions.parse(["--config", config]).settings(environment: [:])
    }
    #expect(failure?.exitCode == 78)
  }

  @Test("Without an account the exit code is 64, without a password 78, and the message says what to do")
  func missing() throws {
    let noAccount = #expect(throws: CommandFailure.self) { try AccountOptions.parse([]).settings(environment: [:]) }
    #expect(noAccount?.exitCode == 64)
    #expect(noAccount?.message.contains("--account") == true)
    let noPassword = #expect(throws: CommandFailure.self) {
      try AccountOptions.parse(["--account", "a@example.test"]).settings(environment: [:])
    }
    #expect(noPassword?.exitCode == 78)
    #expect(noPassword?.message.contains("CARILLON_PASSWORD") == true)
    let noFile = #expect(throws: CommandFailure.self) {
      try AccountOptions.parse(["--account", "a@example.test", "--password-file", "/nonexistent"]).settings(
        environment: [:])
    }
    #expect(noFile?.exitCode == 78)
  }

  @Test(
    "Every kind of failure has its exit code",
    arguments: [
      (.declined, 10), (.busy, 11), (.noAnswer, 12), (.nothingInCommon, 13), (.connectivity, 14),
      (.serverUnreachable, 69),
      (.timedOut, 75), (.protocolViolation, 76), (.authentication, 77), (.configuration, 78), (.media, 1), (.failed, 1),
    ] as [(CallError.Code, Int32)])
  func exitCodes(code: CallError.Code, exitCode: Int32) {
    let failure = CommandFailure(CallError(code, "so it was"))
    #expect(failure.exitCode == exitCode)
    #expect(failure.message == "so it was")
  }

  @Test("A signal's exit code is 128 and its number", arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
  func signalCodes(signal: Int32, exitCode: Int32) {
    #expect(CommandFailure(signal: signal).exitCode == exitCode)
  }
}
