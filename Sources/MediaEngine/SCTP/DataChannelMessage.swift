/// What the two ends of a data channel say to open it.
///
/// ```
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// |  Type = 0x03  |  Channel Type |            Priority           |
/// |                     Reliability Parameter                     |
/// |         Label Length          |       Protocol Length         |
/// |                      Label, then Protocol                     |
/// ```
///
/// - Specification: RFC 8832 §5
enum DataChannelMessage: Hashable {
  struct Open: Hashable {
    /// 0 is reliable and ordered; others lose or mix up what is sent.
    var kind: UInt8 = 0
    var priority: UInt16 = 256
    var reliability: UInt32 = 0
    var label: String
    var subprotocol: String

    var isStream: Bool { kind == 0 }
  }

  case open(Open)
  case acknowledge

  /// A longer one is not read.
  static let maximumLength = 4096

  /// - Returns: nil when the message is malformed, or of a type that nobody defined.
  init?(_ bytes: some Collection<UInt8>) {
    let bytes = Array(bytes)
    func number(_ range: Range<Int>) -> Int { bytes[range].reduce(0) { $0 << 8 | Int($1) } }
    switch bytes.first {
    case 0x02: self = .acknowledge
    case 0x03:
      guard bytes.count >= 12 else { return nil }
      let label = 12..<12 + number(8..<10)
      let subprotocol = label.upperBound..<label.upperBound + number(10..<12)
      guard bytes.count == subprotocol.upperBound else { return nil }
      self = .open(
        Open(
          kind: bytes[1], priority: UInt16(number(2..<4)), reliability: UInt32(number(4..<8)),
          label: String(decoding: bytes[label], as: UTF8.self),
          subprotocol: String(decoding: bytes[subprotocol], as: UTF8.self)))
    default: return nil
    }
  }

  var bytes: [UInt8] {
    switch self {
    case .acknowledge: return [0x02]
    case .open(let open):
      func bytes(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.bigEndian, Array.init) }
      let label = Array(open.label.utf8.prefix(1024))
      let subprotocol = Array(open.subprotocol.utf8.prefix(1024))
      return [0x03, open.kind] + bytes(open.priority) + bytes(open.reliability) + bytes(UInt16(label.count))
        + bytes(UInt16(subprotocol.count)) + label + subprotocol
    }
  }
}

/// What a message is, as SCTP's payload protocol identifier tells.
///
/// - Specification: RFC 8831 §8
enum DataChannelPayload: UInt32 {
  case control = 50
  case text = 51
  /// A part of a binary message, of a text: obsolete.
  case partialBinary = 52
  case binary = 53
  case partialText = 54
  /// One byte stands for none, as SCTP has no empty messages.
  case emptyText = 56
  case emptyBinary = 57
}
