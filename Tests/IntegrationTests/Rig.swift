import Foundation
import Synchronization
import Testing

/// Prosody, coturn and, when it is asked for, ejabberd on loopback, started by `Tools/rig` and stopped when its
/// standard input closes, which happens even when the test process dies.
final class Rig: Sendable {
  /// The rig of the running suite.
  @TaskLocal static var current: Rig!

  private static let accountCount = 200
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  let folder: URL
  let host: String
  let certificateAuthority: String
  let otherCertificateAuthority: String
  let password: String
  private let ejabberdHost: String
  private let isEjabberdStarted = Mutex(false)
  private let nextAccount = Atomic(1)
  /// One command at a time, for the answers have no names.
  private let commanding = Mutex(())
  private let process: Process
  private let commands = Pipe()
  private let answers: FileHandle

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "carillon-rig-\(UUID())")
    // The rig ends when this end of the pipe closes, so no child may hold it open.
    _ = fcntl(commands.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
    process = Process()
    process.executableURL = Self.root.appending(path: "Tools/rig")
    process.arguments = [folder.path]
    process.environment = ProcessInfo.processInfo.environment.merging([
      "RIG_USERS": (1...Self.accountCount).map { "user\($0)" }.joined(separator: " ")
    ]) { $1 }
    let output = Pipe()
    process.standardInput = commands
    process.standardOutput = output
    try process.run()
    answers = output.fileHandleForReading
    var environment: [String: String] = [:]
    while let line = Self.readLine(from: answers), !line.isEmpty {
      let parts = line.split(separator: "=", maxSplits: 1).map(String.init)
      if parts.count == 2 { environment[parts[0]] = parts[1] }
    }
    host = try #require(environment["RIG_HOST"], "Tools/rig did not start")
    ejabberdHost = try #require(environment["RIG_EJABBERD_HOST"])
    certificateAuthority = try #require(environment["RIG_CA_FILE"])
    otherCertificateAuthority = try #require(environment["RIG_OTHER_CA_FILE"])
    password = try #require(environment["RIG_PASSWORD"])
  }

  func stop() {
    try? commands.fileHandleForWriting.close()
    process.waitUntilExit()
    try? FileManager.default.removeItem(at: folder)
  }

  /// An account that no other test uses, so that nobody else's devices ring.
  func account(at domain: String = "example.test") -> String {
    let number = nextAccount.wrappingAdd(1, ordering: .relaxed).oldValue
    precondition(number <= Self.accountCount, "the rig has no more accounts")
    return "user\(number)@\(domain)"
  }

  /// A path for a file of one test.
  func file(_ ending: String) -> String { folder.appending(path: "\(UUID()).\(ending)").path }

  /// Where this server is, which is started if it is not there yet.
  func host(of server: XMPPServer) throws -> String {
    guard server == .ejabberd else { return host }
    try isEjabberdStarted.withLock { isStarted in
      if !isStarted { try command("ejabberd start") }
      isStarted = true
    }
    return ejabberdHost
  }

  /// `server stop` or `server start`; returns when it is done.
  func command(_ command: String) throws {
    try commanding.withLock { _ in
      try commands.fileHandleForWriting.write(contentsOf: Data("\(command)\n".utf8))
      #expect(Self.readLine(from: answers) == "ok")
    }
  }

  /// Has a `carillon` killed with the rig, should this process not live to do it.
  func watch(_ processIdentifier: Int32) throws {
    try commands.fileHandleForWriting.write(contentsOf: Data("watch \(processIdentifier)\n".utf8))
  }

  private static func readLine(from file: FileHandle) -> String? {
    var line = Data()
    while let byte = try? file.read(upToCount: 1), !byte.isEmpty {
      if byte.first == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
      line += byte
    }
    return nil
  }
}

/// A file with random contents, gone with the rig.
func makeFile(_ count: Int) throws -> String {
  let path = Rig.current.file("bin")
  let random = try #require(FileHandle(forReadingAtPath: "/dev/urandom"))
  try #require(try random.read(upToCount: count)).write(to: URL(filePath: path))
  return path
}

func makeFolder(_ ending: String = "inbox") throws -> String {
  let path = Rig.current.file(ending)
  try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  return path
}

/// All that a folder holds, hidden files too.
func names(in folder: String) -> [String] {
  (try? FileManager.default.contentsOfDirectory(atPath: folder).sorted()) ?? []
}

/// The servers of a rig.
enum XMPPServer: String, CaseIterable, Sendable { case prosody, ejabberd }

/// Starts a rig before a suite's tests and stops it after them.
struct RigTrait: SuiteTrait, TestScoping {
  var isRecursive: Bool { false }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    let rig = try Rig()
    defer { rig.stop() }
    try await Rig.$current.withValue(rig) { try await function() }
  }
}

extension Trait where Self == RigTrait {
  static var rig: RigTrait { RigTrait() }
}
