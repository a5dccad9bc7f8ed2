package import MediaTime

/// What became of a packet that was sent.
package struct PacketResult: Hashable, Sendable {
  package var sentAt: Instant
  /// In bytes.
  package var size: Int
  /// On the receiver's clock, whose zero is unknown; nil when it did not arrive.
  package var arrival: Duration?

  package init(sentAt: Instant, size: Int, arrival: Duration?) {
    self.sentAt = sentAt
    self.size = size
    self.arrival = arrival
  }
}

/// Numbers all packets of a transport, whatever their stream, and understands what the receiver says of them.
///
/// - Specification: draft-holmer-rmcat-transport-wide-cc-extensions-01 §2
package struct TransportSequencer: Sendable {
  private struct Sent {
    var number: SequenceNumber
    var sentAt: Instant
    var size: Int
    var isReportedLost = false
  }

  /// Packets that a report may be behind.
  private static let maximumCapacity = 4096

  private var next: SequenceNumber
  /// By the number's lowest bits; nil when it has been reported. As large as the reports' delay makes it: few packets are
  /// under way in a call without video.
  private var history: [Sent?] = Array(repeating: nil, count: 128)
  private var lastReference: Int64?

  package init(initialSequenceNumber: SequenceNumber = SequenceNumber(rawValue: 0)) {
    next = initialSequenceNumber
  }

  /// Gives a packet that is about to be sent its number, in the header extension element that waits for it.
  ///
  /// - Returns: whether the packet has such an element of two bytes.
  @discardableResult
  package mutating func stamp(_ packet: inout [UInt8], identifier: UInt8, at now: Instant) -> Bool {
    guard let offset = HeaderExtension.offset(of: identifier, count: 2, in: packet.span) else { return false }
    let number = register(size: packet.count, at: now)
    packet[offset] = UInt8(number.rawValue >> 8)
    packet[offset + 1] = UInt8(number.rawValue & 0xFF)
    return true
  }

  /// The number of a packet that is about to be sent.
  package mutating func register(size: Int, at now: Instant) -> SequenceNumber {
    let number = next
    while history.count < Self.maximumCapacity, let old = history[index(of: number)], !old.isReportedLost { grow() }
    history[index(of: number)] = Sent(number: number, sentAt: now, size: size)
    next = next + 1
    return number
  }

  /// What a report says of our packets, in the order of their numbers; each is told once as arrived, once as lost.
  package mutating func results(of feedback: TransportFeedback) -> [PacketResult] {
    let reference = feedback.referenceTicks(near: lastReference)
    lastReference = reference
    var ticks = reference
    var results: [PacketResult] = []
    for (distance, delta) in feedback.deltas.enumerated() {
      if let delta { ticks &+= Int64(delta) }
      let number = feedback.baseSequenceNumber + distance
      let index = index(of: number)
      guard let sent = history[index], sent.number == number else { continue }
      if delta != nil {
        history[index] = nil
        results.append(
          PacketResult(sentAt: sent.sentAt, size: sent.size, arrival: .microseconds(ticks &* 250)))
      } else if !sent.isReportedLost {
        history[index]?.isReportedLost = true
        results.append(PacketResult(sentAt: sent.sentAt, size: sent.size, arrival: nil))
      }
    }
    return results
  }

  private mutating func grow() {
    let known = history.compactMap(\.self)
    history = Array(repeating: nil, count: history.count * 2)
    for sent in known { history[index(of: sent.number)] = sent }
  }

  private func index(of number: SequenceNumber) -> Int {
    Int(number.rawValue) & (history.count - 1)
  }
}

/// When the peer's packets arrived: told to it every so often.
///
/// - Specification: draft-holmer-rmcat-transport-wide-cc-extensions-01 §3
package struct TransportArrivalLog: Sendable {
  /// Packets told about in one message: it then fits a datagram.
  private static let maximumCount = 400
  /// Packets that wait to be told; the oldest go first.
  private static let capacity = 4096

  package let interval: Duration
  /// When to ask for `feedback`, nil while nothing has come.
  package private(set) var nextDeadline: Instant?

  private var arrivals: [(number: ExtendedSequenceNumber, ticks: Int64)] = []
  private var isSorted = true
  private var highest: ExtendedSequenceNumber?
  /// The first packet that no message has told about.
  private var next: ExtendedSequenceNumber?
  private var feedbackCount: UInt8 = 0

  /// - Parameter interval: between messages, while packets come.
  package init(interval: Duration = .milliseconds(50)) {
    self.interval = interval
  }

  package mutating func received(_ number: SequenceNumber, at now: Instant) {
    let extended = highest?.nearest(number) ?? ExtendedSequenceNumber(number)
    highest = max(highest ?? extended, extended)
    if arrivals.count == Self.capacity { arrivals.removeFirst(Self.capacity / 2) }
    if let last = arrivals.last, last.number >= extended { isSorted = false }
    arrivals.append((extended, now.nanoseconds / 250_000))
    if nextDeadline == nil { nextDeadline = now + interval }
    if arrivals.count >= Self.maximumCount { nextDeadline = now }
  }

  /// The messages that tell about everything that has come since the last ones.
  package mutating func feedback() -> [TransportFeedback] {
    defer { nextDeadline = nil }
    if !isSorted { arrivals.sort { ($0.number, $0.ticks) < ($1.number, $1.ticks) } }
    isSorted = true
    var messages: [TransportFeedback] = []
    var rest = arrivals[...]
    while let first = rest.first {
      // Begins behind the last message, so that a loss between two messages is told.
      var base = first.number
      if let next, next < base, base - next < Self.maximumCount / 2 { base = next }
      let reference = first.ticks / TransportFeedback.ticksPerReference
      var ticks = reference * TransportFeedback.ticksPerReference
      var deltas: [Int16?] = []
      deltas.reserveCapacity(min(rest.count * 2, Self.maximumCount))
      while let arrival = rest.first {
        let distance = arrival.number - base
        guard distance >= deltas.count else {
          rest.removeFirst()  // a duplicate
          continue
        }
        guard distance < Self.maximumCount, let delta = Int16(exactly: arrival.ticks - ticks) else { break }
        deltas.append(contentsOf: repeatElement(nil, count: distance - deltas.count))
        deltas.append(delta)
        ticks = arrival.ticks
        rest.removeFirst()
      }
      next = max(next ?? base, base + deltas.count)
      messages.append(
        TransportFeedback(
          baseSequenceNumber: base.sequenceNumber, referenceTime: UInt32(truncatingIfNeeded: reference),
          feedbackPacketCount: feedbackCount, deltas: deltas))
      feedbackCount &+= 1
    }
    arrivals.removeAll(keepingCapacity: true)
    return messages
  }
}
