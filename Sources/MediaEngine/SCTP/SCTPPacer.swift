import MediaTime

/// Spreads an association's packets over time, as usrsctp does not: it sends whatever its window allows at once, and
/// such a burst overflows the first socket or router on its way.
///
/// The rate is twice the window in a round trip, which leaves the window to limit what is sent.
struct SCTPPacer {
  /// Enough for a pause of the loop of some milliseconds on a fast network, and for what a socket's buffer holds.
  private static let burst = 32 * SCTPAssociation.mtu
  /// Packets beyond are dropped: SCTP sends them again. The window is smaller.
  private static let maximumBytes = 4 * SCTPAssociation.bufferSize
  /// usrsctp sends none beyond its MTU.
  static let maximumPacket = 2048
  private static let slowest = 128_000.0

  /// Packets with their lengths before them, from `head` on.
  private var bytes: [UInt8] = []
  private var head = 0
  private var bytesPerSecond = 10_000_000.0
  private var allowance = Double(burst)
  private var last: Instant?
  private var turn = 0
  /// Whether anything was sent since the last `update`.
  private(set) var isBusy = false

  mutating func append(_ packet: UnsafeRawBufferPointer) {
    guard bytes.count - head < Self.maximumBytes, packet.count <= Self.maximumPacket else { return }
    if head > 1 << 18, head > bytes.count / 2 {
      bytes.removeSubrange(..<head)
      head = 0
    }
    withUnsafeBytes(of: UInt16(packet.count)) { bytes.append(contentsOf: $0) }
    bytes.append(contentsOf: packet)
  }

  mutating func update(window: Int, roundTrip: Duration) {
    isBusy = false
    bytesPerSecond = max(Self.slowest, 2 * Double(window) / max(0.001, roundTrip / .seconds(1)))
  }

  enum Next: Equatable {
    /// The first bytes of the buffer are a packet to be sent now.
    case packet(Int)
    /// There is more, to be asked for after a while.
    case wait(Duration)
    case nothing
  }

  /// Begins a turn, in which a burst may be sent: others on the loop have theirs in between.
  mutating func begin(at now: Instant) {
    let passed = last.map { (now - $0) / .seconds(1) } ?? 0
    last = now
    allowance = min(max(Double(Self.burst), bytesPerSecond * 0.002), allowance + passed * bytesPerSecond)
    turn = Self.burst
  }

  mutating func next(into buffer: UnsafeMutableRawBufferPointer) -> Next {
    guard head < bytes.count else { return .nothing }
    if turn <= 0 { return .wait(.zero) }
    if allowance <= 0 { return .wait(.seconds(max(0.0005, -allowance / bytesPerSecond))) }
    let packet = take()
    bytes.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[packet])) }
    isBusy = true
    allowance -= Double(packet.count)
    turn -= packet.count
    if head == bytes.count {
      bytes.removeAll(keepingCapacity: bytes.count < 1 << 20)
      head = 0
    }
    return .packet(packet.count)
  }

  /// The last word, with all else dropped.
  mutating func takeLast() -> [UInt8]? {
    var last: [UInt8]?
    while head < bytes.count { last = Array(bytes[take()]) }
    bytes = []
    head = 0
    return last
  }

  private mutating func take() -> Range<Int> {
    let count = bytes.withUnsafeBytes { Int($0.loadUnaligned(fromByteOffset: head, as: UInt16.self)) }
    let start = head + 2
    head = start + count
    return start..<head
  }
}
