import CNiceShims
import Foundation
import Synchronization

/// Tells when this machine's way into the network has changed, so that calls can look for new paths.
///
/// The kernel tells of every change; half a second after the first of several, the addresses that ICE would use and the
/// default routes are compared with those before.
package final class NetworkMonitor: Sendable {
  /// What calls depend on.
  struct Snapshot: Hashable {
    var addresses: Set<LocalAddress>
    var defaultRoutes: Set<String>

    static func now() -> Snapshot {
      Snapshot(addresses: Set(LocalAddress.usable(of: LocalAddress.all())), defaultRoutes: NetworkMonitor.defaultRoutes())
    }
  }

  /// Closed with the last of those that read it.
  private final class Socket: Sendable {
    let descriptor: Int32

    init?() {
      descriptor = carillon_open_address_changes()
      guard descriptor >= 0 else { return nil }
    }

    deinit { close(descriptor) }

    /// Takes everything out: what it says is looked up afterwards.
    func drain() {
      withUnsafeTemporaryAllocation(byteCount: 8_192, alignment: 8) { buffer in
        // An overflow (ENOBUFS) is told once, and then there is more.
        for _ in 0..<64 where recv(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT)) < 0 {
          if errno == EAGAIN { return }
        }
      }
    }
  }

  private let events = LoopSource()
  private let settling = LoopSource()
  private let state: Mutex<(before: Snapshot, isSettling: Bool)>
  private let look: @Sendable () -> Snapshot
  private let changed: @Sendable () -> Void
  private let delay: Duration

  /// - Parameter changed: called on the loop, until `stop`; must not block.
  package convenience init(on loop: GLibLoop, changed: @escaping @Sendable () -> Void) {
    self.init(on: loop, delay: .milliseconds(500), look: Snapshot.now, changed: changed)
  }

  init(
    on loop: GLibLoop, delay: Duration, look: @escaping @Sendable () -> Snapshot, changed: @escaping @Sendable () -> Void
  ) {
    self.delay = delay
    self.look = look
    self.changed = changed
    let socket = Socket()
    // The kernel listens already: nothing that happens after the first look is missed.
    state = Mutex((look(), false))
    settling.attach(to: loop.context) { [weak self] in self?.compare() }
    if let socket { events.watch(socket.descriptor) }
    events.attach(to: loop.context) { [weak self] in
      socket?.drain()
      self?.somethingHappened()
    }
  }

  deinit {
    stop()
  }

  package func stop() {
    events.destroy()
    settling.destroy()
  }

  func somethingHappened() {
    let isFirst = state.withLock { state in
      defer { state.isSettling = true }
      return !state.isSettling
    }
    if isFirst { settling.fire(after: delay) }
  }

  private func compare() {
    // What happens from here on is looked at again.
    state.withLock { $0.isSettling = false }
    let now = look()
    let isOther = state.withLock { state in
      defer { state.before = now }
      return state.before != now
    }
    if isOther { changed() }
  }

  /// Interface and gateway of each.
  private static func defaultRoutes() -> Set<String> {
    func table(_ name: String) -> [[Substring]] {
      let text = (try? String(contentsOfFile: "/proc/thread-self/net/\(name)", encoding: .utf8)) ?? ""
      return text.split(separator: "\n").map { $0.split { $0 == " " || $0 == "\t" } }
    }
    let ipv4 = table("route").filter { $0.count >= 8 && $0[1] == "00000000" && $0[7] == "00000000" }
    let ipv6 = table("ipv6_route").filter {
      $0.count >= 10 && $0[0].allSatisfy { $0 == "0" } && $0[1] == "00" && $0[9] != "lo"
    }
    return Set(ipv4.map { "\($0[0]) \($0[2])" } + ipv6.map { "\($0[9]) \($0[4])" })
  }
}
