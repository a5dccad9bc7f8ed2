/// When the packets of a transport arrived, whatever stream they belong to.
///
/// ```
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |      base sequence number     |      packet status count      |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                 reference time                | fb pkt. count |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |          packet chunk         |         packet chunk, …       |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |           recv delta, one or two bytes each, …, zeros         |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// - Specification: draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1
package struct TransportFeedback: Hashable, Sendable {
  /// Statuses in one message; more are refused.
  package static let maximumPacketCount = 8192
  /// The unit of the arrivals' deltas.
  package static let tick = Duration.microseconds(250)
  /// The ticks in one unit of the reference time: 64 ms.
  static let ticksPerReference: Int64 = 256

  /// The transport-wide number of the first packet that is told about.
  package var baseSequenceNumber: SequenceNumber
  /// 24 bits, in units of 64 ms on the receiver's clock.
  package var referenceTime: UInt32
  /// Counts these messages, so that lost ones are seen.
  package var feedbackPacketCount: UInt8
  /// For each packet from the first on, in ticks: the time since the packet before it that arrived, or since the
  /// reference time. Nil for a packet that did not arrive.
  package var deltas: [Int16?]

  package init(
    baseSequenceNumber: SequenceNumber, referenceTime: UInt32, feedbackPacketCount: UInt8, deltas: [Int16?]
  ) {
    precondition(1...Self.maximumPacketCount ~= deltas.count, "a message tells about one packet at least")
    self.baseSequenceNumber = baseSequenceNumber
    self.referenceTime = referenceTime & 0xFF_FFFF
    self.feedbackPacketCount = feedbackPacketCount
    self.deltas = deltas
  }

  /// The reference time in ticks, on the side of the 24 bits' wraps that is nearest to an earlier one.
  package func referenceTicks(near earlier: Int64?) -> Int64 {
    let reference = Int64(referenceTime) * Self.ticksPerReference
    guard let earlier else { return reference }
    let cycle = Self.ticksPerReference << 24
    let distance = (reference &- earlier) & (cycle - 1)
    return earlier &+ (distance < cycle / 2 ? distance : distance - cycle)
  }

  init(parsing information: Span<UInt8>) throws(RTCPError) {
    guard information.count >= 10 else { throw .invalidLength }
    let count = Int(information.uint16(at: 2))
    guard 1...Self.maximumPacketCount ~= count else { throw .invalidLength }
    baseSequenceNumber = SequenceNumber(rawValue: information.uint16(at: 0))
    referenceTime = information.uint24(at: 4)
    feedbackPacketCount = information[7]

    var statuses: [Status] = []
    statuses.reserveCapacity(count)
    var offset = 8
    while statuses.count < count {
      guard offset + 2 <= information.count else { throw .invalidLength }
      let isEmpty = Status.read(information.uint16(at: offset), to: &statuses, upTo: count)
      guard !isEmpty else { throw .invalidLength }
      offset += 2
    }

    deltas = []
    deltas.reserveCapacity(count)
    for status in statuses {
      switch status {
      case .notReceived, .reserved:
        deltas.append(nil)
      case .smallDelta:
        guard offset < information.count else { throw .invalidLength }
        deltas.append(Int16(information[offset]))
        offset += 1
      case .largeDelta:
        guard offset + 2 <= information.count else { throw .invalidLength }
        deltas.append(Int16(bitPattern: information.uint16(at: offset)))
        offset += 2
      }
    }
  }

  func write(to information: inout [UInt8]) {
    let start = information.count
    information.append(uint16: baseSequenceNumber.rawValue)
    information.append(uint16: UInt16(deltas.count))
    information.append(uint32: referenceTime << 8 | UInt32(feedbackPacketCount))
    Status.write(deltas, to: &information)
    for case let delta? in deltas {
      switch Status(of: delta) {
      case .smallDelta: information.append(UInt8(delta))
      default: information.append(uint16: UInt16(bitPattern: delta))
      }
    }
    while (information.count - start) % 4 != 0 { information.append(0) }
  }
}

/// A packet's status symbol, and the chunks that hold such symbols.
///
/// ```
///  0                   1                0                   1
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |0| S |       run length        |    |1|S|       symbol list         |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// A vector's S tells the symbols' width: 14 of one bit or 7 of two.
///
/// - Specification: draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1.1, §3.1.3, §3.1.4
private enum Status: UInt16 {
  case notReceived
  case smallDelta
  case largeDelta
  case reserved

  private static let longestRun = 0x1FFF

  init(of delta: Int16?) {
    switch delta {
    case nil: self = .notReceived
    case .some(0...255): self = .smallDelta
    case .some: self = .largeDelta
    }
  }

  /// The symbol in the lowest two bits.
  private init(bits: UInt16) {
    self = Status(rawValue: bits & 3) ?? .reserved
  }

  /// Takes a chunk's symbols, but no more than are due.
  ///
  /// - Returns: whether the chunk held none.
  static func read(_ chunk: UInt16, to statuses: inout [Status], upTo count: Int) -> Bool {
    let missing = count - statuses.count
    if chunk & 0x8000 == 0 {
      let run = Int(chunk) & longestRun
      statuses.append(contentsOf: repeatElement(Status(bits: chunk >> 13), count: min(run, missing)))
      return run == 0
    }
    let width: UInt16 = chunk & 0x4000 == 0 ? 1 : 2
    let mask: UInt16 = width == 1 ? 1 : 3
    for index in 0..<min(14 / width, UInt16(clamping: missing)) {
      statuses.append(Status(bits: chunk >> (14 - width * (index + 1)) & mask))
    }
    return false
  }

  /// Long runs become run-length chunks, the rest vectors with as many symbols as fit.
  static func write(_ deltas: [Int16?], to information: inout [UInt8]) {
    var index = 0
    while index < deltas.count {
      let status = Status(of: deltas[index])
      let rest = deltas[index...]
      let run = min(rest.firstIndex { Status(of: $0) != status }.map { $0 - index } ?? rest.count, longestRun)
      if run == rest.count || run >= (status == .largeDelta ? 7 : 14) {
        information.append(uint16: status.rawValue << 13 | UInt16(run))
        index += run
        continue
      }
      let isNarrow = rest.prefix(14).allSatisfy { Status(of: $0) != .largeDelta }
      let width: UInt16 = isNarrow ? 1 : 2
      var chunk: UInt16 = isNarrow ? 0x8000 : 0xC000
      var shift: UInt16 = 14
      for delta in rest.prefix(isNarrow ? 14 : 7) {
        shift -= width
        chunk |= Status(of: delta).rawValue << shift
      }
      information.append(uint16: chunk)
      index += isNarrow ? 14 : 7
    }
  }
}
