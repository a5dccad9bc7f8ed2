import ArgumentParser
import Carillon
import FoundationEssentials
import Logging
import MediaCodecs

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
    help: ArgumentHelp("What is heard: PATH, tone[:HZ], speech, silence or none.", valueName: "src"),
    transform: { try AudioArgument(argument: $0) })
  var audio: AudioArgument = .silence

  @OptionGroup var pictures: VideoOptions
  @OptionGroup var keeping: RecordingOptions

  @Option(
    name: .customLong("for"),
    help: ArgumentHelp("Hang up after this time, such as 8s or 1m30s.", valueName: "duration"),
    transform: { try Duration(argument: $0) })
  var limit: Duration?

  @Flag(help: "Use only TURN relays, so that the peer never learns this machine's addresses.")
  var relayOnly = false

  func plan(_ side: MediaPlan.Side) throws -> MediaPlan {
    try MediaPlan(
      audio: audio, video: pictures.video, videoSize: pictures.size, recordings: keeping.recordings, side: side)
  }
}

/// What is seen.
struct VideoOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What is seen: PATH, - (Y4M on standard input), bars[:WxH][@FPS], or none to receive only.", valueName: "src"),
    transform: { try VideoArgument(argument: $0) })
  var video: VideoArgument?

  @Option(
    help: ArgumentHelp("Scale the pictures of a file.", valueName: "wxh"),
    transform: { try VideoSize(option: $0) })
  var size: VideoSize?
}

/// What is kept.
struct RecordingOptions: ParsableArguments {
  @Option(
    name: .customLong("record"),
    help: ArgumentHelp(
      "Keep what the peer sends: .webm sound and pictures as they came, .ogg sound as it came, .wav and .y4m decoded; "
        + "may be repeated.", valueName: "path"),
    transform: { try Recording(argument: $0) })
  var recordings: [Recording] = []
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
