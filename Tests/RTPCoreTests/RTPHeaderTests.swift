import MediaTime
import Testing

@testable import RTPCore

@Suite("RTP headers are read and written")
struct RTPHeaderTests {
  /// Two contributing sources, a one-byte extension with padding between its elements, three bytes of payload, padding.
  static let full: [UInt8] = [
    0xB2, 0xEF, 0x12, 0x34, 0x01, 0x02, 0x03, 0x04, 0xCA, 0xFE, 0xBA, 0xBE,
    0x00, 0x00, 0x00, 0x01, 0xFF, 0xFF, 0xFF, 0xFF,
    0xBE, 0xDE, 0x00, 0x02, 0x10, 0x30, 0x00, 0x00, 0x31, 0xAA, 0xBB, 0x00,
    0x78, 0x01, 0x02, 0x00, 0x00, 0x03,
  ]

  @Test func `A header's fields, sources, extension and payload are told`() throws {
    let header = try RTPHeader(parsing: Self.full.span)
    #expect(header.marker)
    #expect(header.payloadType == 111)
    #expect(header.sequenceNumber.rawValue == 0x1234)
    #expect(header.timestamp.rawValue == 0x0102_0304)
    #expect(header.ssrc == 0xCAFE_BABE)
    #expect(header.contributingSources(in: Self.full.span) == [1, 0xFFFF_FFFF])
    #expect(header.headerExtension?.form == .oneByte)
    #expect(header.payloadRange == 32..<35)
    #expect(
      elements(of: Self.full) == [.init(identifier: 1, value: [0x30]), .init(identifier: 3, value: [0xAA, 0xBB])])
  }

  @Test(
    arguments: [
      ([], RTPError.truncated),
      ([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], .truncated),
      ([0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], .unsupportedVersion(1)),
      ([0x81, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], .truncated),
      ([0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], .truncated),
      ([0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xBE, 0xDE, 0xFF, 0xFF], .truncated),
      ([0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], .truncated),
      ([0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], .invalidPadding),
      ([0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], .invalidPadding),
    ] as [([UInt8], RTPError)])
  func `A broken header is refused with its reason`(bytes: [UInt8], error: RTPError) {
    #expect(throws: error) { try RTPHeader(parsing: bytes.span) }
  }

  @Test func `A packet cut off within its header is truncated`() {
    for count in 0..<32 {
      #expect(throws: RTPError.truncated) { try RTPHeader(parsing: Array(Self.full.prefix(count)).span) }
    }
  }

  @Test(arguments: [(32, RTPError.truncated), (33, .invalidPadding), (36, .invalidPadding), (37, .invalidPadding)])
  func `A packet cut off behind its header has another byte for its padding's size`(count: Int, error: RTPError) {
    #expect(throws: error) { try RTPHeader(parsing: Array(Self.full.prefix(count)).span) }
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func `Random changes never make a range that lies outside the packet`(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<20_000 {
      let packet = mutated(Self.full, using: &generator)
      guard let header = try? RTPHeader(parsing: packet.span) else { continue }
      #expect(header.payloadRange.upperBound <= packet.count)
      _ = header.contributingSources(in: packet.span)
      _ = elements(of: packet)
    }
  }

  @Test(arguments: [
    [], [HeaderExtensionElement(identifier: 1, value: [0x30])],
    [.init(identifier: 14, value: Array(repeating: 7, count: 16)), .init(identifier: 2, value: [1, 2, 3])],
    [.init(identifier: 15, value: [1])],
    [.init(identifier: 3, value: []), .init(identifier: 255, value: Array(repeating: 9, count: 255))],
  ])
  func `A written header is read as it was`(written: [HeaderExtensionElement]) throws {
    let header = RTPHeader(
      marker: true, payloadType: 127, sequenceNumber: .init(rawValue: 65535), timestamp: .init(rawValue: 0xFFFF_FFFF),
      ssrc: 0x8000_0001)
    var packet: [UInt8] = []
    header.write(extensionElements: written, to: &packet)
    packet += [1, 2, 3]
    let read = try RTPHeader(parsing: packet.span)
    #expect(read.marker && read.payloadType == 127 && read.ssrc == 0x8000_0001)
    #expect(read.sequenceNumber.rawValue == 65535)
    #expect(read.timestamp.rawValue == 0xFFFF_FFFF)
    #expect(packet[read.payloadRange] == [1, 2, 3])
    #expect(elements(of: packet) == written)
  }

  @Test func `Identifier 15, or 0 with a length, ends a one-byte extension, and a cut-off element is not told`() {
    let start: [UInt8] = [0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xBE, 0xDE, 0, 1]
    #expect(elements(of: start + [0x10, 1, 0xF0, 0]) == [.init(identifier: 1, value: [1])])
    #expect(elements(of: start + [0x10, 1, 0x23, 0]) == [.init(identifier: 1, value: [1])])
    #expect(elements(of: start + [0x00, 0x05, 0x20, 2]).isEmpty)
  }

  private func elements(of packet: [UInt8]) -> [HeaderExtensionElement] {
    guard let header = try? RTPHeader(parsing: packet.span), var iterator = header.headerExtension?.makeIterator()
    else { return [] }
    var elements: [HeaderExtensionElement] = []
    while let element = iterator.next(in: packet.span) {
      elements.append(.init(identifier: element.identifier, value: Array(packet[element.range])))
    }
    return elements
  }
}

/// A copy with a few bytes changed, and sometimes cut off or grown.
func mutated(_ bytes: [UInt8], using generator: inout SeededGenerator) -> [UInt8] {
  var bytes = bytes
  for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
    switch Int.random(in: 0..<10, using: &generator) {
    case 0: bytes.removeLast(Int.random(in: 0...bytes.count, using: &generator))
    case 1: bytes.append(.random(in: 0...255, using: &generator))
    case 2: bytes[Int.random(in: 0..<bytes.count, using: &generator)] = 0xFF
    default: bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
    }
  }
  return bytes
}
