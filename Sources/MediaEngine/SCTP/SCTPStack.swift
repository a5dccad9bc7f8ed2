import CSCTP
import CSCTPShims
import Foundation
import MediaTime

/// usrsctp, of which a process has one, and the one loop on which all of it happens.
///
/// usrsctp's timers serve every association in one pass, and its callbacks come on whichever thread that pass or a
/// packet runs on. With a loop for each endpoint, one endpoint's DTLS would be called from another's thread; a lock
/// would not change that. So all data channels share this loop, apart from the loops on which calls live: a busy
/// transfer delays no media.
package final class SCTPStack: @unchecked Sendable {
  // Proof of Sendable: but for `loop`, which is thread-safe, everything is used on the loop's thread only.

  package static let shared = SCTPStack()

  package let loop = GLibLoop(name: "carillon-sctp")

  private final class Entry {
    weak var association: SCTPAssociation?
    init(_ association: SCTPAssociation) { self.association = association }
  }

  /// By the number that is usrsctp's address of it. Numbers are not used again, so what comes late finds nobody.
  private var associations: [UInt: Entry] = [:]
  private var count: UInt = 0
  private let timer = LoopSource()
  private var lastTick: Instant?
  private var isStarted = false

  /// usrsctp counts time in such steps.
  private static let tick = Duration.milliseconds(10)

  private init() {}

  /// - Returns: the association's address within usrsctp.
  func add(_ association: SCTPAssociation) -> UnsafeMutableRawPointer {
    precondition(loop.isOnLoop, "associations live on the SCTP loop")
    startOnce()
    count += 1
    associations[count] = Entry(association)
    let address = UnsafeMutableRawPointer(bitPattern: count)!
    usrsctp_register_address(address)
    if lastTick == nil {
      lastTick = SystemClock.now
      timer.fire(after: SCTPStack.tick)
    }
    return address
  }

  func remove(_ address: UnsafeMutableRawPointer) {
    usrsctp_deregister_address(address)
    associations[UInt(bitPattern: address)] = nil
  }

  private func find(_ address: UnsafeMutableRawPointer?) -> SCTPAssociation? {
    associations[UInt(bitPattern: address)]?.association
  }

  /// An event came for the association's socket. Within usrsctp, so it is only noted.
  static let woken: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?, Int32) -> Void = { _, address, _ in
    SCTPStack.shared.find(address)?.isWoken = true
  }

  private func advance() {
    let now = SystemClock.now
    let elapsed = (now - (lastTick ?? now)) / .milliseconds(1)
    lastTick = associations.isEmpty ? nil : now
    // After a suspension of the machine, time goes on in steps that retransmission can bear.
    usrsctp_handle_timers(UInt32(min(1000, max(0, elapsed.rounded()))))
    for entry in Array(associations.values) { entry.association?.tick() }
    if lastTick != nil { timer.fire(after: SCTPStack.tick) }
  }

  private func startOnce() {
    guard !isStarted else { return }
    isStarted = true
    timer.attach(to: loop.context) { [unowned self] in advance() }
    carillon_sctp_start { address, packet, length, _, _ in
      guard let packet, let association = SCTPStack.shared.find(address) else { return 0 }
      association.output(UnsafeRawBufferPointer(start: packet, count: length))
      return 0
    }
    // Within DTLS there are no addresses to change, nothing to authenticate again and no network to mark or drop
    // (RFC 8261 §6.1); strangers' packets are not answered.
    _ = usrsctp_sysctl_set_sctp_asconf_enable(0)
    _ = usrsctp_sysctl_set_sctp_auto_asconf(0)
    _ = usrsctp_sysctl_set_sctp_auth_enable(0)
    _ = usrsctp_sysctl_set_sctp_ecn_enable(0)
    _ = usrsctp_sysctl_set_sctp_pktdrop_enable(0)
    _ = usrsctp_sysctl_set_sctp_nrsack_enable(0)
    _ = usrsctp_sysctl_set_sctp_blackhole(2)
    // The buffers hold fewer, counted with what each chunk costs. The default of 512 is 7 MB/s at 80 ms round trip, and
    // who receives drops what is beyond.
    _ = usrsctp_sysctl_set_sctp_max_chunks_on_queue(UInt32(4 * SCTPAssociation.bufferSize / SCTPAssociation.mtu))
    _ = usrsctp_sysctl_set_sctp_initial_cwnd(10)
    // The pacer limits bursts; usrsctp would do it by forgetting the window whenever the application is slow.
    _ = usrsctp_sysctl_set_sctp_max_burst_default(0)
    _ = usrsctp_sysctl_set_sctp_delayed_sack_time_default(20)
    // High-speed TCP's congestion control (RFC 3649): where one packet in 2000 is lost at 80 ms round trip, it carries
    // twice what the standard's does.
    _ = usrsctp_sysctl_set_sctp_default_cc_module(UInt32(SCTP_CC_HSTCP))
  }
}
