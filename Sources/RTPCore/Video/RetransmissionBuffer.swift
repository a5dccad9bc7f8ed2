package import MediaTime

/// The packets sent last, in the clear, to be sent again when the receiver misses them.
///
/// The oldest packet makes room for the newest. Memory is bounded by the count; storage is reused.
///
/// - Specification: RFC 4585 §6.2.1, RFC 4588 §3
package struct RetransmissionBuffer: Sendable {
  package struct Statistics: Hashable, Sendable {
    package var retransmittedPackets = 0
    package var retransmittedBytes = 0
    /// Asked for, but not sent or forgotten.
    package var unknownRequests = 0
    /// Asked for again before the first answer can have arrived.
    package var hastyRequests = 0
  }

  private struct Entry {
    var number: SequenceNumber
    var packet: [UInt8] = []
    var sentAt: Instant
    var answeredAt: Instant?
  }

  /// The time between two answers to the same request, at least; to be kept current by the reports.
  package var roundTripTime: Duration = .milliseconds(100)
  package private(set) var statistics = Statistics()

  private let capacity: Int
  private let maximumAge: Duration
  /// By the sequence number's lowest bits.
  private var entries: [Entry?]

  /// - Parameter capacity: how many packets are kept; a power of two up to 2¹⁵.
  package init(capacity: Int = 1024, maximumAge: Duration = .seconds(2)) {
    precondition(capacity.nonzeroBitCount == 1 && capacity <= 1 << 15, "numbers are told apart by their lowest bits")
    self.capacity = capacity
    self.maximumAge = maximumAge
    entries = Array(repeating: nil, count: capacity)
  }

  /// Keeps a copy of a packet that is being sent for the first time.
  package mutating func store(_ packet: Span<UInt8>, number: SequenceNumber, at now: Instant) {
    let index = index(of: number)
    var storage = entries[index].take()?.packet ?? []
    storage.removeAll(keepingCapacity: true)
    packet.withUnsafeBufferPointer { storage.append(contentsOf: $0) }
    entries[index] = Entry(number: number, packet: storage, sentAt: now)
  }

  /// The packet to send again; nil when it is not known any more or was sent again just now, which is counted.
  package mutating func answer(_ number: SequenceNumber, at now: Instant) -> [UInt8]? {
    let index = index(of: number)
    guard let entry = entries[index], entry.number == number, now - entry.sentAt <= maximumAge else {
      statistics.unknownRequests += 1
      return nil
    }
    if let answeredAt = entry.answeredAt, now - answeredAt < max(roundTripTime, .milliseconds(10)) {
      statistics.hastyRequests += 1
      return nil
    }
    entries[index]?.answeredAt = now
    statistics.retransmittedPackets += 1
    statistics.retransmittedBytes += entry.packet.count
    return entry.packet
  }

  /// What was kept is of another stream.
  package mutating func removeAll() {
    for index in entries.indices { entries[index] = nil }
  }

  private func index(of number: SequenceNumber) -> Int {
    Int(number.rawValue) & (capacity - 1)
  }
}
