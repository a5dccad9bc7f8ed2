import Foundation
import Glibc
import Synchronization
import Testing

@testable import MediaEngine

@Suite("A network monitor", .timeLimit(.minutes(1)))
struct NetworkMonitorTests {
  @Test("tells of other addresses and routes, once, and of nothing else")
  func compared() async throws {
    let network = Network()
    let changes = Count()
    let loop = GLibLoop()
    let monitor = NetworkMonitor(on: loop, delay: .milliseconds(50), look: { network.look() }) { changes.add() }
    // News of no consequence.
    for _ in 0..<5 { monitor.somethingHappened() }
    try await network.looks(2)
    #expect(changes.value == 0)
    // Several changes, one word.
    network.change { $0.addresses.insert(LocalAddress(text: "192.0.2.1", interface: "eth0")) }
    monitor.somethingHappened()
    network.change { $0.defaultRoutes.insert("eth0 192.0.2.254") }
    monitor.somethingHappened()
    try await changes.reaches(1)
    // Another one is seen too.
    network.change { $0.defaultRoutes = [] }
    monitor.somethingHappened()
    try await changes.reaches(2)
    #expect(changes.value == 2)
    monitor.stop()
    monitor.stop()
    network.change { $0.addresses = [] }
    monitor.somethingHappened()
    try await Task.sleep(for: .milliseconds(150))
    #expect(changes.value == 2)
  }

  @Test("hears of the kernel's changes")
  func kernel() async throws {
    let changes = Count()
    let inside = Inside()
    guard await inside.leave() else {
      print("no network namespace can be made here: not tested")
      return
    }
    let monitor = await inside.monitor { changes.add() }
    await inside.ip("link", "add", "one", "type", "veth", "peer", "name", "other")
    await inside.ip("address", "add", "192.0.2.1/24", "dev", "one")
    await inside.ip("link", "set", "other", "up")
    await inside.ip("link", "set", "one", "up")
    try await changes.reaches(1)
    await inside.ip("route", "add", "default", "via", "192.0.2.254")
    try await changes.reaches(2)
    await inside.ip("address", "del", "192.0.2.1/24", "dev", "one")
    try await changes.reaches(3)
    monitor.stop()
  }
}

private final class Network: Sendable {
  private let state = Mutex((snapshot: NetworkMonitor.Snapshot(addresses: [], defaultRoutes: []), looks: 0))

  func look() -> NetworkMonitor.Snapshot {
    state.withLock { state in
      state.looks += 1
      return state.snapshot
    }
  }

  func change(_ body: (inout NetworkMonitor.Snapshot) -> Void) {
    state.withLock { body(&$0.snapshot) }
  }

  func looks(_ count: Int) async throws {
    while state.withLock({ $0.looks }) < count { try await Task.sleep(for: .milliseconds(5)) }
  }
}

private final class Count: Sendable {
  private let count = Mutex(0)
  var value: Int { count.withLock { $0 } }

  func add() {
    count.withLock { $0 += 1 }
  }

  func reaches(_ wanted: Int) async throws {
    while value < wanted { try await Task.sleep(for: .milliseconds(5)) }
  }
}

/// Works on a loop whose thread is in a network of its own.
private actor Inside {
  nonisolated let loop = GLibLoop()
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  func leave() -> Bool {
    // Glibc's module leaves it out.
    guard let symbol = dlsym(nil, "unshare") else { return false }
    let unshare = unsafeBitCast(symbol, to: (@convention(c) (Int32) -> Int32).self)
    let newNetwork: Int32 = 0x4000_0000
    return unshare(newNetwork) == 0 && FileManager.default.isExecutableFile(atPath: "/usr/sbin/ip")
  }

  func monitor(_ changed: @escaping @Sendable () -> Void) -> NetworkMonitor {
    NetworkMonitor(on: loop, changed: changed)
  }

  /// A process is born into its parent thread's network.
  func ip(_ arguments: String...) {
    let path = "/usr/sbin/ip"
    var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var pid: pid_t = 0
    var status: Int32 = 0
    let spawned = posix_spawn(&pid, path, nil, nil, &words, nil)
    if spawned == 0 { waitpid(pid, &status, 0) }
    #expect(spawned == 0 && status == 0, "ip \(arguments)")
  }
}
