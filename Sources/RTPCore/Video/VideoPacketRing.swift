import MediaTime

/// A packet that waits for its frame to be whole.
struct VideoPacket: Sendable {
  var number: Int64
  var timestamp: RTPTimestamp
  var marker: Bool
  var payload: [UInt8]
  /// Nil for a packet without data: it only fills its place.
  var content: VideoPayload?
  var arrival: Instant
}

/// Packets by their number, all from a window that is no longer than the ring.
struct VideoPacketRing: Sendable {
  private var slots: [VideoPacket?]
  private let mask: Int64
  /// All numbers lie within; empty when there are none.
  private(set) var numbers: Range<Int64> = 0..<0
  private(set) var count = 0

  init(capacity: Int) {
    var size = 16
    while size < capacity { size *= 2 }
    slots = Array(repeating: nil, count: size)
    mask = Int64(size - 1)
  }

  subscript(number: Int64) -> VideoPacket? {
    guard numbers.contains(number), let packet = slots[index(of: number)], packet.number == number else { return nil }
    return packet
  }

  func hasRoom(for number: Int64) -> Bool {
    guard count > 0 else { return true }
    return max(numbers.upperBound, number &+ 1) &- min(numbers.lowerBound, number) <= Int64(slots.count)
  }

  func numbers(from number: Int64) -> Range<Int64> { numbers.clamped(to: number..<max(number, numbers.upperBound)) }

  func numbers(before number: Int64) -> Range<Int64> { numbers.clamped(to: min(number, numbers.lowerBound)..<number) }

  /// The caller has made room.
  mutating func insert(_ packet: consuming VideoPacket) {
    precondition(hasRoom(for: packet.number), "numbers of a window no longer than the ring")
    let number = packet.number
    numbers =
      count == 0
      ? number..<number + 1 : min(numbers.lowerBound, number)..<max(numbers.upperBound, number + 1)
    count += 1
    slots[index(of: number)] = packet
  }

  mutating func remove(_ number: Int64) -> VideoPacket? {
    guard numbers.contains(number) else { return nil }
    // The window closes over places that stayed empty, too.
    if number == numbers.lowerBound { numbers = number + 1..<numbers.upperBound }
    guard slots[index(of: number)]?.number == number else { return nil }
    count -= 1
    return slots[index(of: number)].take()
  }

  private func index(of number: Int64) -> Int {
    Int(truncatingIfNeeded: number & mask)
  }
}
