package import MediaTime

/// A report that lets one who sends nothing know its round trip: it names a moment, and the sender tells how long ago it
/// heard of it.
///
/// ```
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |     BT=4      |   reserved    |       block length = 2        |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |              NTP timestamp, 64 bits                           |
/// +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
/// |     BT=5      |   reserved    |         block length          |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                 SSRC of receiver, last RR, DLRR, …            |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// Other blocks are stepped over.
///
/// - Specification: RFC 3611 §2, §3, §4.4, §4.5
package struct ExtendedReport: Hashable, Sendable {
  /// The answer to a receiver's reference time.
  package struct Answer: Hashable, Sendable {
    /// The receiver's.
    package var ssrc: UInt32
    /// The middle 32 bits of its reference time.
    package var lastReport: UInt32
    /// In units of 1/65536 s.
    package var delaySinceLastReport: UInt32

    package init(ssrc: UInt32, lastReport: UInt32, delaySinceLastReport: UInt32) {
      self.ssrc = ssrc
      self.lastReport = lastReport
      self.delaySinceLastReport = delaySinceLastReport
    }
  }

  /// Answers read from one report; what is told beyond them is left out.
  package static let maximumAnswerCount = 32

  package var ssrc: UInt32
  package var referenceTime: NTPTime?
  package var answers: [Answer]

  package init(ssrc: UInt32, referenceTime: NTPTime? = nil, answers: [Answer] = []) {
    self.ssrc = ssrc
    self.referenceTime = referenceTime
    self.answers = answers
  }

  init(parsing content: Span<UInt8>) throws(RTCPError) {
    guard content.count >= 4 else { throw .invalidLength }
    self.init(ssrc: content.uint32(at: 0))
    var offset = 4
    while offset < content.count {
      guard offset + 4 <= content.count else { throw .invalidLength }
      let start = offset + 4
      let end = start + 4 * Int(content.uint16(at: offset + 2))
      guard end <= content.count else { throw .invalidLength }
      switch content[offset] {
      case 4:
        guard end - start == 8 else { throw .invalidLength }
        referenceTime = NTPTime(
          rawValue: UInt64(content.uint32(at: start)) << 32 | UInt64(content.uint32(at: start + 4)))
      case 5:
        guard (end - start) % 12 == 0 else { throw .invalidLength }
        for entry in stride(from: start, to: end, by: 12) where answers.count < Self.maximumAnswerCount {
          answers.append(
            Answer(
              ssrc: content.uint32(at: entry), lastReport: content.uint32(at: entry + 4),
              delaySinceLastReport: content.uint32(at: entry + 8)))
        }
      default: break
      }
      offset = end
    }
  }

  func write(to content: inout [UInt8]) {
    content.append(uint32: ssrc)
    if let referenceTime {
      content.append(uint32: 4 << 24 | 2)
      content.append(uint32: UInt32(truncatingIfNeeded: referenceTime.rawValue >> 32))
      content.append(uint32: UInt32(truncatingIfNeeded: referenceTime.rawValue))
    }
    guard !answers.isEmpty else { return }
    content.append(uint32: 5 << 24 | UInt32(3 * answers.count))
    for answer in answers {
      content.append(uint32: answer.ssrc)
      content.append(uint32: answer.lastReport)
      content.append(uint32: answer.delaySinceLastReport)
    }
  }
}
