import Testing

@testable import RTPCore

@Suite("Feedback is understood")
struct FeedbackMessageTests {
  static func numbers(_ values: UInt16...) -> [SequenceNumber] { values.map(SequenceNumber.init(rawValue:)) }

  static func transport(_ deltas: [Int16?]) -> FeedbackMessage {
    .transport(
      mediaSSRC: 9,
      TransportFeedback(
        baseSequenceNumber: SequenceNumber(rawValue: 65_530), referenceTime: 0xFF_FFFF, feedbackPacketCount: 255,
        deltas: deltas))
  }

  static let fixtures: [(FeedbackMessage, RTCPFeedback.Layer, UInt8, [UInt8])] = [
    (.nack(NACK(mediaSSRC: 9, sequenceNumbers: numbers(7))), .transport, 1, [0, 7, 0, 0]),
    (
      .nack(NACK(mediaSSRC: 9, sequenceNumbers: numbers(65_535, 0, 15, 16, 17))), .transport, 1,
      [0xFF, 0xFF, 0x80, 0x01, 0, 16, 0, 1]
    ),
    (.pictureLoss(mediaSSRC: 9), .payload, 1, []),
    (
      .fullIntraRequest([
        FullIntraRequest(ssrc: 0x0102_0304, sequenceNumber: 255), FullIntraRequest(ssrc: 5, sequenceNumber: 0),
      ]), .payload, 4, [1, 2, 3, 4, 255, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0]
    ),
    (
      .bitrateLimit(BitrateLimit(bitsPerSecond: 600_000, ssrcs: [9])), .payload, 15,
      // 600 000 = 150 000 · 2²
      [0x52, 0x45, 0x4D, 0x42, 1, 0x0A, 0x49, 0xF0, 0, 0, 0, 9]
    ),
    (.bitrateLimit(BitrateLimit(bitsPerSecond: 0, ssrcs: [])), .payload, 15, [0x52, 0x45, 0x4D, 0x42, 0, 0, 0, 0]),
    (
      transport([0, nil, 255, 256, -1]), .transport, 15,
      // One vector of two-bit symbols 1, 0, 1, 2, 2; then the deltas.
      [0xFF, 0xFA, 0, 5, 0xFF, 0xFF, 0xFF, 255, 0xD1, 0xA0, 0, 255, 1, 0, 0xFF, 0xFF]
    ),
  ]

  @Test(arguments: fixtures.indices)
  func `Each message has its specification's bytes, and is read from them`(index: Int) throws {
    let (message, layer, format, information) = Self.fixtures[index]
    let feedback = message.feedback(senderSSRC: 3)
    #expect(feedback.layer == layer)
    #expect(feedback.format == format)
    #expect(feedback.senderSSRC == 3)
    #expect(feedback.information == information)
    var (whole, written): ([UInt8], [UInt8]) = ([], [])
    RTCPPacket.feedback(feedback).write(to: &whole)
    message.write(from: 3, to: &written)
    #expect(written == whole)
    #expect(try FeedbackMessage(parsing: feedback) == message)
  }

  @Test(arguments: fixtures.indices)
  func `A message that is cut off is refused at every length`(index: Int) {
    let (message, _, _, information) = Self.fixtures[index]
    var feedback = message.feedback(senderSSRC: 3)
    for count in 0..<information.count {
      feedback.information = Array(information.prefix(count))
      let read = try? FeedbackMessage(parsing: feedback)
      // Whole entries before the cut are a shorter message.
      switch read {
      case nil: break
      case .nack(let nack): #expect(count % 4 == 0 && nack.sequenceNumbers.count < 5)
      case .fullIntraRequest(let requests): #expect(count == 8 && requests.count == 1)
      default: Issue.record("\(count) bytes were read as \(read as Any)")
      }
    }
  }

  @Test func `Other formats and applications are not understood, and no error`() throws {
    for feedback in [
      RTCPFeedback(layer: .transport, format: 3, senderSSRC: 1, mediaSSRC: 2),
      RTCPFeedback(layer: .payload, format: 2, senderSSRC: 1, mediaSSRC: 2, information: [0, 0, 0, 0]),
      RTCPFeedback(layer: .payload, format: 15, senderSSRC: 1, mediaSSRC: 2, information: [1, 2, 3, 4, 5, 6, 7, 8]),
    ] {
      #expect(try FeedbackMessage(parsing: feedback) == nil)
    }
  }

  @Test func `A limit beyond all numbers is the greatest number`() throws {
    let limit = try BitrateLimit(parsing: ([0x52, 0x45, 0x4D, 0x42, 0, 0xFF, 0xFF, 0xFF] as [UInt8]).span)
    #expect(limit?.bitsPerSecond == .max)
    #expect(BitrateLimit(bitsPerSecond: .max, ssrcs: []).information[5] == (45 << 2 | 3))
  }

  @Test func `A NACK asks for so many packets at most`() throws {
    let information = Array(repeating: [0, 1, 0xFF, 0xFF] as [UInt8], count: 360).flatMap { $0 }
    let nack = try NACK(mediaSSRC: 1, parsing: information.span)
    #expect(nack.sequenceNumbers.count <= NACK.maximumCount)
    #expect(nack.sequenceNumbers.count > NACK.maximumCount - 17)
  }
}

@Suite("Transport-wide feedback is read and written")
struct TransportFeedbackTests {
  static func feedback(_ deltas: [Int16?], base: UInt16 = 0) -> TransportFeedback {
    TransportFeedback(
      baseSequenceNumber: SequenceNumber(rawValue: base), referenceTime: 5, feedbackPacketCount: 1, deltas: deltas)
  }

  @Test(
    arguments: [
      (Array(repeating: 1, count: 20), [0x20, 20]),
      (Array(repeating: -1, count: 8), [0x40, 8]),
      ([1] + Array(repeating: nil, count: 299), [0xA0, 0, 0x01, 0x1E]),
      ([1, nil, 1, nil, 1, nil, 1, nil, 1, nil, 1, nil, 1, nil, 1, nil], [0xAA, 0xAA, 0xA0, 0]),
      ([1, 300, nil, 1, 300, nil, 1, 300], [0xD8, 0x61, 0x40, 1]),
    ] as [([Int16?], [UInt8])])
  func `Runs and vectors of both widths are written as the draft draws them`(deltas: [Int16?], chunks: [UInt8]) {
    #expect(Array(Self.feedback(deltas).information[8..<8 + chunks.count]) == chunks)
  }

  @Test(arguments: SequenceNumberTests.starts)
  func `Whatever is written is read as it was`(base: UInt16) throws {
    var generator = SeededGenerator(seed: UInt64(base))
    for count in [1, 6, 7, 8, 13, 14, 15, 100, 1000, TransportFeedback.maximumPacketCount] {
      var deltas: [Int16?] = []
      while deltas.count < count {
        let delta: Int16? = [nil, 3, 255, 256, -1, .min, .max].randomElement(using: &generator) ?? nil
        let run = Bool.random(using: &generator) ? 1 : Int.random(in: 1...40, using: &generator)
        deltas.append(contentsOf: repeatElement(delta, count: min(run, count - deltas.count)))
      }
      let feedback = Self.feedback(deltas, base: base)
      #expect(try TransportFeedback(parsing: feedback.information.span) == feedback)
    }
  }

  @Test func `One-bit vectors, chunks beyond the count and reserved symbols are read`() throws {
    let head: [UInt8] = [0, 0, 0, 3, 0, 0, 5, 1]
    #expect(try TransportFeedback(parsing: (head + [0xA8, 0, 7, 8]).span) == Self.feedback([7, nil, 8]))
    #expect(try TransportFeedback(parsing: (head + [0x3F, 0xFF, 1, 2, 3]).span) == Self.feedback([1, 2, 3]))
    #expect(try TransportFeedback(parsing: (head + [0x60, 3]).span) == Self.feedback([nil, nil, nil]))
  }

  @Test(
    arguments: [
      [0, 0, 0, 0, 0, 0, 5, 1, 0, 0], [0, 0, 0, 3, 0, 0, 5, 1, 0, 0], [0, 0, 0xFF, 0xFF, 0, 0, 5, 1, 0x1F, 0xFF],
      [0, 0, 0, 3, 0, 0, 5, 1, 0x20, 3, 1, 2], [0, 0, 0, 1, 0, 0, 5, 1, 0x40, 1, 1],
    ] as [[UInt8]])
  func `No statuses, too many, empty chunks and missing deltas are refused`(information: [UInt8]) {
    #expect(throws: RTCPError.invalidLength) { try TransportFeedback(parsing: information.span) }
  }

  @Test func `The reference time follows the wraps of its 24 bits`() {
    let cycle: Int64 = 256 << 24
    for (reference, earlier, expected) in [
      (0, nil, 0), (5, nil, 1280), (0xFF_FFFF, cycle, cycle - 256), (0, cycle - 256, cycle),
      (1, 3 * cycle, 3 * cycle + 256),
      (0xFF_FFFF, 0, -256), (0x80_0000, cycle, cycle / 2),
    ] as [(UInt32, Int64?, Int64)] {
      var feedback = Self.feedback([1])
      feedback.referenceTime = reference
      #expect(feedback.referenceTicks(near: earlier) == expected)
    }
  }

  @Test func `Feedback with the one to three bytes of padding that libwebrtc writes is read`() throws {
    let content: [UInt8] = [0xAF, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 5, 1, 0x20, 1, 7, 1]
    var reader = RTCPReader()
    guard case .feedback(let feedback)? = try reader.next(in: content.span) else {
      Issue.record("no feedback")
      return
    }
    #expect(try FeedbackMessage(parsing: feedback) == .transport(mediaSSRC: 2, Self.feedback([7])))
  }
}

extension TransportFeedback {
  var information: [UInt8] {
    var information: [UInt8] = []
    write(to: &information)
    return information
  }
}

extension BitrateLimit {
  fileprivate var information: [UInt8] {
    var information: [UInt8] = []
    write(to: &information)
    return information
  }
}
