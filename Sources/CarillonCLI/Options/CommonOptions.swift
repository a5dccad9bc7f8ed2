import ArgumentParser
import Carillon
import FoundationEssentials
import Logging

/// Options of every command that prints.
struct OutputOptions: ParsableArguments {
  @Flag(help: "Print one JSON object per line instead of text.")
  var json = false

  @Option(help: "trace, debug, info, notice, warning, error or critical (default: warning).", transform: parseLogLevel)
  var logLevel: Logger.Level?
}

/// Options of every command that signs in.
struct AccountOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The account to sign in with.", valueName: "jid"), transform: parseJID)
  var account: JID?

  @Option(help: ArgumentHelp("File whose first line is the password (or set CARILLON_PASSWORD).", valueName: "file"))
  var passwordFile: String?

  @Option(
    help: ArgumentHelp("Server to connect to instead of what DNS says.", valueName: "host[:port]"),
    transform: { try Client.ServerAddress(argument: $0) })
  var host: Client.ServerAddress?

  @Option(
    help: ArgumentHelp("PEM file of certificate authorities to trust instead of the system's.", valueName: "file"))
  var caFile: String?

  @Option(help: ArgumentHelp("File of key = value lines that stand in for options.", valueName: "file"))
  var config: String?

  /// What these options, the environment and the configuration file say together, in this order of precedence.
  func settings(environment: [String: String] = ProcessInfo.processInfo.environment) throws -> Settings {
    let (file, warning) = try config.map(ConfigurationFile.read) ?? (ConfigurationFile(), nil)
    let values = file.values
    guard let account = try account ?? values["account"].map(configured(parseJID)) else {
      throw CommandFailure(
        code: "usage", message: "No account: pass --account JID, or write account = JID into a --config file.",
        status: .usage)
    }
    guard account.localpart != nil else {
      throw CommandFailure(code: "usage", message: "The account '\(account)' has no name before an @.", status: .usage)
    }
    let password: String
    if let passwordFile {
      password = try Self.password(in: passwordFile)
    } else if let fromEnvironment = environment["CARILLON_PASSWORD"] {
      password = fromEnvironment
    } else if let fromFile = try values["password"] ?? values["password-file"].map(Self.password(in:)) {
      password = fromFile
    } else {
      throw CommandFailure(
        code: "configuration",
        message: "No password for \(account.bare): write it into a file and pass --password-file FILE, "
          + "or set CARILLON_PASSWORD.",
        status: .configuration)
    }
    let caFile = caFile ?? values["ca-file"]
    if let caFile { _ = try readTextFile(caFile, what: "certificate authorities'") }
    return Settings(
      account: account, password: password,
      server: try host ?? values["host"].map(configured { try Client.ServerAddress(argument: $0) }),
      certificateAuthorities: caFile,
      relayOnly: try values["relay-only"].map(configured(parseBoolean)) ?? false,
      logLevel: try values["log-level"].map(configured(parseLogLevel)),
      warning: warning)
  }

  private static func password(in path: String) throws -> String {
    let text = try readTextFile(path, what: "password")
    guard let line = text.split(maxSplits: 1, whereSeparator: \.isNewline).first, !line.isEmpty else {
      throw CommandFailure(
        code: "configuration", message: "The password file \(path) is empty.", status: .configuration)
    }
    return String(line)
  }
}

/// Everything that a command needs to sign in.
struct Settings {
  var account: JID
  var password: String
  var server: Client.ServerAddress?
  var certificateAuthorities: String?
  var relayOnly: Bool
  var logLevel: Logger.Level?
  /// Something about the configuration that the user should know.
  var warning: String?

  func clientConfiguration(relayOnly: Bool, ringingTimeout: Duration? = nil) -> Client.Configuration {
    let device = account.isBare ? try? JID("\(account)/\(DeviceResource.claim(for: "\(account)"))") : account
    var configuration = Client.Configuration(account: device ?? account, password: password)
    configuration.server = server
    configuration.certificateAuthorities = certificateAuthorities
    configuration.relayOnly = relayOnly || self.relayOnly
    if let ringingTimeout { configuration.ringingTimeout = ringingTimeout }
    return configuration
  }
}

/// Options of a call's media.
struct MediaOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("What to send: PATH, tone[:HZ], speech, silence or none.", valueName: "src"),
    transform: { try AudioArgument(argument: $0) })
  var audio: AudioArgument = .silence

  @Option(
    help: ArgumentHelp("Keep what the peer sends: .wav decoded, .ogg and .webm as it came.", valueName: "path"),
    transform: { try Recording(argument: $0) })
  var record: Recording?

  @Option(
    name: .customLong("for"),
    help: ArgumentHelp("Hang up after this time, such as 8s or 1m30s.", valueName: "duration"),
    transform: { try Duration(argument: $0) })
  var limit: Duration?

  @Flag(help: "Use only TURN relays, so that the peer never learns this machine's addresses.")
  var relayOnly = false

  /// The offer for the `count`th call of one run, and the path of its recording.
  func offer(call count: Int = 1) throws -> (offer: MediaOffer, recording: String?) {
    let recording = record?.numbered(count)
    try recording?.check()
    var offer = MediaOffer(audio: try audio.makeSource())
    if let recording { recording.attach(to: &offer) } else { offer.audioSink = DiscardingSink() }
    return (offer, recording?.path)
  }
}

/// Hears the peer without keeping anything, so that levels and losses can be told.
final class DiscardingSink: AudioSink {
  func write(_ samples: Span<Int16>, channelCount: Int) {}
  func finish() {}
}

func parseJID(_ argument: String) throws -> JID {
  do { return try JID(argument) } catch { throw ValidationError("'\(argument)' is no address: \(error)") }
}

private func parseLogLevel(_ argument: String) throws -> Logger.Level {
  guard let level = Logger.Level(rawValue: argument) else {
    throw ValidationError(
      "'\(argument)' is no log level; there are \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")).")
  }
  return level
}

private func parseBoolean(_ text: String) throws -> Bool {
  switch text {
  case "true", "yes": true
  case "false", "no": false
  default: throw ValidationError("'\(text)' is neither true nor false.")
  }
}

/// Turns what a transform refuses into a failure of the configuration file.
private func configured<Value>(_ transform: @escaping (String) throws -> Value) -> (String) throws -> Value {
  { text in
    do { return try transform(text) } catch let error as ValidationError {
      throw CommandFailure(code: "configuration", message: error.message, status: .configuration)
    }
  }
}
