/// Where a packet's header extension stands, and how its elements are written.
///
/// - Specification: RFC 3550 §5.3.1, RFC 8285 §4
package struct HeaderExtension: Hashable, Sendable {
  package enum Form: Hashable, Sendable {
    /// Four bits of identifier, four bits of length less one.
    case oneByte
    /// A byte each.
    case twoByte
    /// Not RFC 8285: opaque.
    case other
  }

  /// The 16 bits "defined by profile".
  package let profile: UInt16
  /// Where the extension's content stands in the packet.
  package let range: Range<Int>

  package var form: Form {
    switch profile {
    case 0xBEDE: .oneByte
    case 0x1000...0x100F: .twoByte
    default: .other
    }
  }

  /// The elements in turn; ask it with the packet that the header was read from.
  package func makeIterator() -> ElementIterator {
    ElementIterator(form: form, range: range)
  }

  /// Walks over the elements without copying. It ends at the first one that is cut off.
  ///
  /// - Specification: RFC 8285 §4.2, §4.3
  package struct ElementIterator: Sendable {
    private let form: Form
    private var offset: Int
    private let end: Int

    init(form: Form, range: Range<Int>) {
      self.form = form
      offset = range.lowerBound
      end = form == .other ? offset : range.upperBound
    }

    package mutating func next(in packet: Span<UInt8>) -> (identifier: UInt8, range: Range<Int>)? {
      while offset < end {
        let first = packet[offset]
        if first == 0 {  // padding
          offset += 1
          continue
        }
        var identifier = first
        var start = offset + 1
        let count: Int
        if form == .oneByte {
          identifier = first >> 4
          count = Int(first & 0x0F) + 1
          // §4.2: 15 is reserved, 0 with a length is forbidden; the rest is not to be read.
          if identifier == 15 || identifier == 0 { break }
        } else {
          guard start < end else { break }
          count = Int(packet[start])
          start += 1
        }
        guard start + count <= end else { break }
        offset = start + count
        return (identifier, start..<start + count)
      }
      offset = end
      return nil
    }
  }

  /// Where a packet's element stands that has so many bytes; nil when there is none.
  static func offset(of identifier: UInt8, count: Int, in packet: Span<UInt8>) -> Int? {
    guard let header = try? RTPHeader(parsing: packet), var elements = header.headerExtension?.makeIterator() else {
      return nil
    }
    while let element = elements.next(in: packet) {
      if element.identifier == identifier { return element.range.count == count ? element.range.lowerBound : nil }
    }
    return nil
  }

  /// Appends an extension that holds the elements: in the one-byte form when all fit.
  static func write(_ elements: [HeaderExtensionElement], to packet: inout [UInt8]) {
    let isOneByte = elements.allSatisfy { 1...14 ~= $0.identifier && 1...16 ~= $0.value.count }
    let writer = Writer(isOneByte: isOneByte, to: &packet)
    for element in elements {
      writer.begin(element.identifier, count: element.value.count, in: &packet)
      packet.append(contentsOf: element.value)
    }
    writer.finish(&packet)
  }

  /// Appends an extension element by element, without an array of them.
  struct Writer {
    private let isOneByte: Bool
    private let start: Int

    init(isOneByte: Bool, to packet: inout [UInt8]) {
      self.isOneByte = isOneByte
      packet.append(uint16: isOneByte ? 0xBEDE : 0x1000)
      packet.append(uint16: 0)
      start = packet.count
    }

    /// Begins an element; the caller appends its value.
    func begin(_ identifier: UInt8, count: Int, in packet: inout [UInt8]) {
      precondition(identifier > 0 && count <= 255, "RFC 8285 §4.3")
      if isOneByte {
        packet.append(identifier << 4 | UInt8(count - 1))
      } else {
        packet.append(identifier)
        packet.append(UInt8(count))
      }
    }

    func finish(_ packet: inout [UInt8]) {
      while (packet.count - start) % 4 != 0 { packet.append(0) }
      let words = UInt16((packet.count - start) / 4)
      packet[start - 2] = UInt8(words >> 8)
      packet[start - 1] = UInt8(truncatingIfNeeded: words)
    }
  }
}

/// An element of a header extension to write.
package struct HeaderExtensionElement: Hashable, Sendable {
  /// 1 to 14 in the one-byte form, else 1 to 255.
  package var identifier: UInt8
  package var value: [UInt8]

  package init(identifier: UInt8, value: [UInt8]) {
    self.identifier = identifier
    self.value = value
  }
}
