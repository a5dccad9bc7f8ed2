import MediaTime

/// Brings the timestamps of one stream to 48 kHz, at whatever rate its codecs' clocks run.
///
/// Where the sender changes to a codec with another clock rate, its timestamps before and after have nothing to do with each
/// other: the first packet after the change is taken to follow the last one before it.
///
/// - Specification: RFC 7160 §4
struct AudioClock: Sendable {
  static let rate = 48_000

  private struct Packet {
    var number: ExtendedSequenceNumber
    var timestamp: RTPTimestamp
    var clockRate: Int
    /// At 48 kHz.
    var time: RTPTimestamp
    var duration: Int
  }

  private var newest: Packet?

  /// - Parameters:
  ///   - clockRate: of the packet's codec; divides 48 kHz.
  ///   - duration: at 48 kHz.
  /// - Returns: nil for a packet that came too late: those after it have another clock.
  mutating func time(
    of timestamp: RTPTimestamp, number: ExtendedSequenceNumber, clockRate: Int, duration: Int
  ) -> RTPTimestamp? {
    precondition(Self.rate % clockRate == 0, "a tick is a whole number of samples")
    let isNewest = newest.map { number > $0.number } ?? true
    var time = timestamp
    if let newest, newest.clockRate == clockRate {
      time = newest.time + (timestamp - newest.timestamp) * (Self.rate / clockRate)
    } else if let newest {
      guard isNewest else { return nil }
      time = newest.time + newest.duration * max(1, min(number - newest.number, 100))
    }
    if isNewest {
      newest = Packet(number: number, timestamp: timestamp, clockRate: clockRate, time: time, duration: duration)
    }
    return time
  }

  /// Another stream begins.
  mutating func restart() { newest = nil }
}
