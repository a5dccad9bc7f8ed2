/// Cuts what comes in pieces into lines. Of a line that is too long, only that it was so is kept.
struct LineSplitter {
  enum Line: Equatable {
    case text([UInt8])
    case tooLong
  }

  private let maximumLength: Int
  private var pending: [UInt8] = []
  private var isTooLong = false

  init(maximumLength: Int) { self.maximumLength = maximumLength }

  /// - Returns: the lines that end in these bytes, without their ends.
  mutating func receive(_ bytes: some Sequence<UInt8>) -> [Line] {
    var lines: [Line] = []
    for byte in bytes {
      if byte == UInt8(ascii: "\n") {
        lines.append(cut())
      } else if pending.count < maximumLength {
        pending.append(byte)
      } else {
        isTooLong = true
      }
    }
    return lines
  }

  /// - Returns: what came after the last line's end, if anything did.
  mutating func finish() -> Line? { pending.isEmpty ? nil : cut() }

  private mutating func cut() -> Line {
    defer {
      pending = []
      isTooLong = false
    }
    return isTooLong ? .tooLong : .text(pending)
  }
}
