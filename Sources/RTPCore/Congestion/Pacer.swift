package import MediaTime

/// Spreads frames over time, so that a large one does not fill the path's queues at once.
///
/// A leaky bucket that runs at a multiple of the target, since an encoder's frames vary. Retransmissions go before
/// frames. When the queue would take too long, whole frames are dropped, and all that follow up to a key frame.
package struct Pacer<Packet: Sendable>: Sendable {
  package struct Configuration: Hashable, Sendable {
    /// How much faster than the target packets leave.
    package var factor: Double
    /// What is queued may take this long to leave; frames beyond it are dropped.
    package var maximumQueueTime: Duration
    /// What may be sent at once after a pause.
    package var burst: Duration

    package init(
      factor: Double = 2.5, maximumQueueTime: Duration = .seconds(1), burst: Duration = .milliseconds(5)
    ) {
      self.factor = factor
      self.maximumQueueTime = maximumQueueTime
      self.burst = burst
    }
  }

  package struct Statistics: Hashable, Sendable {
    package var framesDropped = 0
    package var retransmissionsDropped = 0
  }

  private struct Frame {
    /// The last one first.
    var packets: [(packet: Packet, size: Int)]
    var isBegun = false
  }

  private static var spareCapacity: Int { 8 }

  /// Retransmissions that wait at most; the oldest goes first.
  private static var retransmissionCapacity: Int { 256 }

  /// The target; above zero.
  package var bitsPerSecond: Int
  package private(set) var statistics = Statistics()
  /// Whether frames are dropped until a key frame comes.
  package private(set) var needsKeyFrame = false
  /// In bytes.
  package private(set) var queuedSize = 0

  private let configuration: Configuration
  private var frames: [Frame] = []
  /// Empty arrays of frames that have left, for those that come.
  private var spare: [[(packet: Packet, size: Int)]] = []
  private var retransmissions: [(packet: Packet, size: Int)] = []
  /// When the bucket is empty.
  private var freeAt = Instant(nanoseconds: .min / 2)

  package init(bitsPerSecond: Int, configuration: Configuration = .init()) {
    precondition(bitsPerSecond > 0, "nothing would be sent")
    self.bitsPerSecond = bitsPerSecond
    self.configuration = configuration
  }

  /// Queues a frame's packets.
  ///
  /// - Returns: false when it was dropped.
  @discardableResult
  package mutating func enqueue(frame packets: [(packet: Packet, size: Int)], isKeyFrame: Bool) -> Bool {
    guard !packets.isEmpty else { return true }
    if queueTime > configuration.maximumQueueTime {
      dropFrames()
      needsKeyFrame = true
    }
    guard !needsKeyFrame || isKeyFrame else {
      statistics.framesDropped += 1
      return false
    }
    needsKeyFrame = false
    var frame = Frame(packets: spare.popLast() ?? [])
    frame.packets.append(contentsOf: packets.lazy.reversed())
    frames.append(frame)
    queuedSize += packets.reduce(0) { $0 + $1.size }
    return true
  }

  package mutating func enqueue(retransmission packet: Packet, size: Int) {
    if retransmissions.count == Self.retransmissionCapacity {
      queuedSize -= retransmissions.removeFirst().size
      statistics.retransmissionsDropped += 1
    }
    retransmissions.append((packet, size))
    queuedSize += size
  }

  /// The packet to send now, or nil when it is not time yet.
  package mutating func next(at now: Instant) -> Packet? {
    guard let nextDeadline, nextDeadline <= now else { return nil }
    let next: (packet: Packet, size: Int)
    if !retransmissions.isEmpty {
      next = retransmissions.removeFirst()
    } else if let packet = frames[0].packets.popLast() {
      next = packet
      frames[0].isBegun = true
      if frames[0].packets.isEmpty {
        let done = frames.removeFirst()
        if spare.count < Self.spareCapacity { spare.append(done.packets) }
      }
    } else {
      return nil
    }
    queuedSize -= next.size
    freeAt = max(freeAt, now - configuration.burst) + time(toSend: next.size)
    return next.packet
  }

  /// What waits to be sent again is of no use any more.
  package mutating func removeRetransmissions() {
    queuedSize -= retransmissions.reduce(0) { $0 + $1.size }
    retransmissions.removeAll(keepingCapacity: true)
  }

  /// Nothing may be sent for now. What was left out is needed by all that follows up to a key frame.
  package mutating func removeAll() {
    frames.removeAll(keepingCapacity: true)
    retransmissions.removeAll(keepingCapacity: true)
    queuedSize = 0
    needsKeyFrame = true
  }

  /// When the next packet may leave, nil when none waits.
  package var nextDeadline: Instant? {
    frames.isEmpty && retransmissions.isEmpty ? nil : freeAt
  }

  /// How long the queue takes to leave.
  package var queueTime: Duration { time(toSend: queuedSize) }

  private func time(toSend size: Int) -> Duration {
    .nanoseconds(Int64(Double(size) * 8e9 / (Double(max(bitsPerSecond, 1)) * configuration.factor)))
  }

  /// Drops the frames of which nothing has been sent.
  private mutating func dropFrames() {
    for frame in frames where !frame.isBegun {
      queuedSize -= frame.packets.reduce(0) { $0 + $1.size }
      statistics.framesDropped += 1
    }
    frames.removeAll { !$0.isBegun }
  }
}
