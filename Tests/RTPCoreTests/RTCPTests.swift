import MediaTime
import Testing

@testable import RTPCore

@Suite("RTCP is read and written")
struct RTCPTests {
  static let block = ReportBlock(
    ssrc: 0xAABB_CCDD, fractionLost: 12, cumulativeLost: -3, extendedHighestSequenceNumber: 0x0001_FFFF, jitter: 99,
    lastSenderReport: 0x1234_5678, delaySinceLastSenderReport: 65_536)

  static let packets: [RTCPPacket] = [
    .senderReport(
      SenderReport(
        ssrc: 1, ntpTime: NTPTime(rawValue: 0x0123_4567_89AB_CDEF), rtpTimestamp: RTPTimestamp(rawValue: 0xFFFF_FFFF),
        packetCount: 5, octetCount: 0x8000_0000, reportBlocks: [block, block])),
    .receiverReport(ReceiverReport(ssrc: 2)),
    .receiverReport(ReceiverReport(ssrc: 2, reportBlocks: Array(repeating: block, count: 31))),
    .sourceDescription([
      SourceDescription(ssrc: 3, cname: "abc"),
      SourceDescription(ssrc: 4, items: [.init(type: 1, text: "héllo"), .init(type: 8, text: "")]),
    ]),
    .goodbye(Goodbye(ssrcs: [5, 6])),
    .goodbye(Goodbye(ssrcs: [5], reason: "teardown")),
    .feedback(
      RTCPFeedback(layer: .transport, format: 1, senderSSRC: 7, mediaSSRC: 8, information: [0, 1, 0xFF, 0xFF])),
    .feedback(RTCPFeedback(layer: .payload, format: 1, senderSSRC: 7, mediaSSRC: 8)),
    .extendedReport(ExtendedReport(ssrc: 1)),
    .extendedReport(
      ExtendedReport(
        ssrc: 9, referenceTime: NTPTime(rawValue: 0x0123_4567_89AB_CDEF),
        answers: [
          .init(ssrc: 7, lastReport: 0x4567_89AB, delaySinceLastReport: 0x0001_0000),
          .init(ssrc: 8, lastReport: 0, delaySinceLastReport: 0),
        ])),
  ]

  static var compound: [UInt8] {
    packets.reduce(into: []) { $1.write(to: &$0) }
  }

  @Test(arguments: packets)
  func `What is written is read as it was`(packet: RTCPPacket) {
    var bytes: [UInt8] = []
    packet.write(to: &bytes)
    #expect(bytes.count % 4 == 0)
    #expect(read(bytes) == Read(packets: [packet], error: nil))
  }

  @Test func `A receiver report has the bytes of RFC 3550`() {
    var bytes: [UInt8] = []
    RTCPPacket.receiverReport(ReceiverReport(ssrc: 2, reportBlocks: [Self.block])).write(to: &bytes)
    #expect(
      bytes == [
        0x81, 201, 0, 7, 0, 0, 0, 2, 0xAA, 0xBB, 0xCC, 0xDD, 12, 0xFF, 0xFF, 0xFD, 0, 1, 0xFF, 0xFF, 0, 0, 0, 99,
        0x12, 0x34, 0x56, 0x78, 0, 1, 0, 0,
      ])
  }

  @Test func `An extended report has the bytes of RFC 3611, and its unknown blocks are stepped over`() {
    let known = ExtendedReport(
      ssrc: 9, referenceTime: NTPTime(rawValue: 0x0102_0304_0506_0708),
      answers: [.init(ssrc: 7, lastReport: 0x0A0B_0C0D, delaySinceLastReport: 3)])
    var bytes: [UInt8] = []
    RTCPPacket.extendedReport(known).write(to: &bytes)
    let blocks: [UInt8] = [
      4, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 5, 0, 0, 3, 0, 0, 0, 7, 0x0A, 0x0B, 0x0C, 0x0D, 0, 0, 0, 3,
    ]
    #expect(bytes == [0x80, 207, 0, 8, 0, 0, 0, 9] + blocks)
    let unknown: [UInt8] = [7, 0, 0, 1, 1, 2, 3, 4, 99, 0, 0, 0]
    let packet: [UInt8] = [0x80, 207, 0, 11, 0, 0, 0, 9] + unknown + blocks
    #expect(read(packet) == Read(packets: [.extendedReport(known)], error: nil))
  }

  @Test(arguments: [[4, 0, 0, 1, 1, 2, 3, 4], [5, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8], [4, 0, 0, 9]] as [[UInt8]])
  func `An extended report whose blocks do not add up is refused`(blocks: [UInt8]) {
    let packet: [UInt8] = [0x80, 207, 0, UInt8(1 + blocks.count / 4), 0, 0, 0, 9] + blocks
    #expect(read(packet) == Read(packets: [], error: .invalidLength))
  }

  @Test func `Of answers without end the first ones are read`() {
    let report = ExtendedReport(
      ssrc: 9, answers: Array(repeating: .init(ssrc: 1, lastReport: 2, delaySinceLastReport: 3), count: 1000))
    var bytes: [UInt8] = []
    RTCPPacket.extendedReport(report).write(to: &bytes)
    let answers = read(bytes).packets.map { if case .extendedReport(let read) = $0 { read.answers.count } else { 0 } }
    #expect(answers == [ExtendedReport.maximumAnswerCount])
  }

  @Test func `A compound gives its packets in order and steps over what is not known`() {
    let application: [UInt8] = [0x80, 204, 0, 2, 0, 0, 0, 1, 0x74, 0x65, 0x73, 0x74]
    let unknown: [UInt8] = [0x80, 208, 0, 1, 0, 0, 0, 1]
    #expect(read(application + Self.compound + unknown) == Read(packets: Self.packets, error: nil))
  }

  @Test func `A compound that is cut off keeps what stood before the cut`() {
    let compound = Self.compound
    var ends: [Int] = []
    _ = Self.packets.reduce(into: [UInt8]()) {
      $1.write(to: &$0)
      ends.append($0.count)
    }
    for count in 0..<compound.count {
      let whole = ends.count { $0 <= count }
      let isBetween = count == 0 || ends.contains(count)
      let result = read(Array(compound.prefix(count)))
      #expect(result.packets == Array(Self.packets.prefix(whole)))
      #expect(result.error == (isBetween ? nil : .truncated))
    }
  }

  @Test(
    arguments: [
      ([0x40, 201, 0, 1, 0, 0, 0, 1], RTCPError.unsupportedVersion(1)),
      ([0x81, 201, 0, 1, 0, 0, 0, 1], .invalidLength),
      ([0x80, 200, 0, 1, 0, 0, 0, 1], .invalidLength),
      ([0x81, 202, 0, 0], .invalidLength),
      ([0x81, 202, 0, 2, 0, 0, 0, 1, 1, 9, 0, 0], .invalidLength),
      ([0x82, 203, 0, 1, 0, 0, 0, 1], .invalidLength),
      ([0x81, 203, 0, 2, 0, 0, 0, 1, 4, 0x61, 0x62, 0x63], .invalidLength),
      ([0x81, 206, 0, 1, 0, 0, 0, 1], .invalidLength),
      ([0xA0, 201, 0, 0], .invalidPadding),
      ([0xA0, 201, 0, 1, 0, 0, 0, 0], .invalidPadding),
      ([0xA0, 201, 0, 1, 0, 0, 0, 3], .invalidPadding),
      ([0xA0, 201, 0, 1, 0, 0, 0, 8], .invalidPadding),
      ([0x80, 201, 0, 9, 0, 0, 0, 1], .truncated),
    ] as [([UInt8], RTCPError)])
  func `A broken packet is refused with its reason, and the ones before it are kept`(bytes: [UInt8], error: RTCPError) {
    var compound: [UInt8] = []
    Self.packets[1].write(to: &compound)
    #expect(read(compound + bytes + [0x80, 201, 0, 1, 0, 0, 0, 1]) == Read(packets: [Self.packets[1]], error: error))
  }

  @Test func `Padding is not content`() {
    let padded: [UInt8] = [0xA1, 203, 0, 2, 0, 0, 0, 5, 0, 0, 0, 4]
    #expect(read(padded) == Read(packets: [.goodbye(Goodbye(ssrcs: [5]))], error: nil))
  }

  @Test func `A datagram of very many packets is given up`() {
    let many = Array(repeating: [0x80, 203, 0, 0] as [UInt8], count: 100).flatMap { $0 }
    let result = read(many)
    #expect(result.packets.count == RTCPReader.maximumPacketCount)
    #expect(result.error == .tooManyPackets)
  }

  @Test func `A text that is too long is cut between characters`() {
    var bytes: [UInt8] = []
    RTCPPacket.sourceDescription([SourceDescription(ssrc: 1, cname: String(repeating: "é", count: 200))])
      .write(to: &bytes)
    let cut = SourceDescription(ssrc: 1, cname: String(repeating: "é", count: 127))
    #expect(read(bytes) == Read(packets: [.sourceDescription([cut])], error: nil))
  }

  @Test func `A loss beyond 24 bits is clamped`() {
    for (lost, read) in [(0x900_0000, 0x7F_FFFF), (-0x900_0000, -0x80_0000)] {
      var block = Self.block
      block.cumulativeLost = lost
      var bytes: [UInt8] = []
      RTCPPacket.receiverReport(ReceiverReport(ssrc: 1, reportBlocks: [block])).write(to: &bytes)
      block.cumulativeLost = read
      let expected = RTCPPacket.receiverReport(ReceiverReport(ssrc: 1, reportBlocks: [block]))
      #expect(self.read(bytes).packets == [expected])
    }
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func `Random changes never trap the reader`(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let compound = Self.compound
    var errors = 0
    for _ in 0..<5_000 where read(mutated(compound, using: &generator)).error != nil {
      errors += 1
    }
    #expect(errors > 0)
  }

  struct Read: Equatable {
    var packets: [RTCPPacket] = []
    var error: RTCPError?
  }

  private func read(_ compound: [UInt8]) -> Read {
    var reader = RTCPReader()
    var result = Read()
    do throws(RTCPError) {
      while let packet = try reader.next(in: compound.span) { result.packets.append(packet) }
    } catch {
      result.error = error
      #expect((try? reader.next(in: compound.span)) == .some(nil), "after an error comes the end")
    }
    return result
  }
}
