import Foundation
import Testing

@testable import MediaEngine

@Suite("A relayed path", .timeLimit(.minutes(1)), .enabled(if: TURNServer.isInstalled, "needs coturn's turnserver"))
struct RelayedPathTests {
  @Test("says which server relays it and how that is reached", arguments: [true, false], [true, false])
  func server(overTCP: Bool, multiplexesRTCP: Bool) async throws {
    let server = try TURNServer()
    defer { server.stop() }
    await server.answers()
    let loop = GLibLoop()
    let names = ["udp", "tcp"]
    let both = [false, true].map { overTCP in
      ICEServer(
        kind: .turn(overTCP: overTCP, username: "user", password: "secret"), address: "127.0.0.1", port: server.port,
        name: names[overTCP ? 1 : 0])
    }
    // Both have one address, as they mostly do.
    let a = Party(on: loop, controlling: true, servers: overTCP ? [both[1]] : both, relayOnly: true,
      multiplexesRTCP: multiplexesRTCP)
    let b = Party(on: loop, controlling: false, multiplexesRTCP: multiplexesRTCP)
    let ofA = try await a.endpoint.start()
    let ofB = try await b.endpoint.start()
    #expect(ofA.candidates.isEmpty, "nothing but relayed ones")
    let feed = Task {
      var candidates: [ICECandidate] = []
      _ = await a.first { event -> Bool? in
        if case .candidate(let candidate) = event { candidates.append(candidate) }
        if case .gatheringDone = event { return true }
        return nil
      }
      return candidates
    }
    let candidates = await feed.value
    #expect(Set(candidates.map(\.component)) == (multiplexesRTCP ? [1] : [1, 2]))
    #expect(candidates.allSatisfy { $0.kind == .relay && $0.ufrag == ofA.credentials.ufrag })
    await a.endpoint.setDTLS(role: .client, fingerprints: [ofB.fingerprint])
    await b.endpoint.setDTLS(role: .server, fingerprints: [ofA.fingerprint])
    await a.endpoint.setRemote(ofB.credentials)
    await b.endpoint.setRemote(ofA.credentials)
    await a.endpoint.addRemote(ofB.candidates)
    await b.endpoint.addRemote(candidates)
    let connection = try #require(await a.connected())
    #expect(connection.local.kind == .relay)
    #expect(connection.path.relay?.name == names[overTCP ? 1 : 0])
    #expect(try #require(await b.connected()).path.relay == nil)
    for party in [a, b] { #expect(await party.endpoint.statistics.1.carriesRTCP) }
    await a.endpoint.close()
    await b.endpoint.close()
  }
}

/// A coturn on loopback, for one user, which ends with this process.
private final class TURNServer {
  static let path = "/usr/bin/turnserver"
  static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: path) }

  let port: UInt16
  private let process = Process()
  /// The server lasts no longer than this end of the pipe, which nobody else may hold.
  private let life = Pipe()
  private let folder = FileManager.default.temporaryDirectory.appending(path: "turn-\(UUID())")

  init() throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let free = try UDPRelay()
    port = free.port(towards: .a)
    _ = fcntl(life.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    // The shell becomes the server. Beside it, another one waits for the pipe's end, and is gone when the server is.
    let script = """
      exec 3<&0
      setpriv --pdeathsig KILL sh -c 'read -r _; kill -KILL "$PPID"' <&3 3<&- &
      exec "$0" "$@" </dev/null 3<&-
      """
    process.arguments = [
      "-c", script, TURNServer.path, "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1",
      "--listening-port=\(port)", "--no-tls", "--no-dtls", "--no-cli", "--lt-cred-mech", "--user=user:secret",
      "--realm=test", "--allow-loopback-peers", "--log-file=stdout", "--pidfile=\(folder.path)/pid",
      "--userdb=\(folder.path)/db",
    ]
    process.standardInput = life
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
  }

  /// Waits until it takes connections, and datagrams.
  func answers() async {
    for type in [SOCK_STREAM, SOCK_DGRAM] {
      while process.isRunning, !answers(type) { try? await Task.sleep(for: .milliseconds(20)) }
    }
  }

  private func answers(_ type: __socket_type) -> Bool {
    let connection = socket(AF_INET, Int32(type.rawValue), 0)
    defer { close(connection) }
    var address = UDPRelay.loopback(port: port)
    let isOpen = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    guard isOpen, type == SOCK_DGRAM else { return isOpen }
    // A Binding request (RFC 8489 §5).
    var bytes: [UInt8] = [0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42] + Array(repeating: 7, count: 12)
    guard send(connection, bytes, bytes.count, 0) == bytes.count else { return false }
    var waiting = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
    return poll(&waiting, 1, 200) == 1 && recv(connection, &bytes, bytes.count, 0) > 0
  }

  func stop() {
    kill(process.processIdentifier, SIGKILL)
    try? life.fileHandleForWriting.close()
    try? FileManager.default.removeItem(at: folder)
  }
}
