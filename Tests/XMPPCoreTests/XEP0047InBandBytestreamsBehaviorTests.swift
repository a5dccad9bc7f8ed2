import MediaTime
import Testing

@testable import XMPPCore

@Suite(.timeLimit(.minutes(1))) struct XEP0047InBandBytestreamsBehaviorTests {
  private func bytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var generator = FixedGenerator(state: seed)
    return (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next() >> 17) }
  }

  private static let start = Instant(nanoseconds: 0)

  /// An acceptor that has been opened, and took all that it was told.
  private func acceptor(_ change: (inout InBandStream.Configuration) -> Void = { _ in }) throws -> InBandStream {
    var configuration = InBandPair.configuration(to: InBandPair.romeo)
    change(&configuration)
    var stream = InBandStream(accepting: configuration, at: Self.start)
    try feed(&stream, InBandBytestream.Open(sid: "i781hf64", blockSize: 4096).element)
    let streamSaid = outputs(&stream)
    #expect(streamSaid.count == 2)
    return stream
  }

  private func feed(_ stream: inout InBandStream, _ element: XMLElement, id: String = "1") throws {
    let isTaken = stream.receive(IQ(id: id, from: InBandPair.romeo, .set(element)), at: Self.start)
    #expect(isTaken)
  }

  private func expect(
    _ stream: inout InBandStream, takes: Bool, _ iq: IQ, at location: SourceLocation = #_sourceLocation
  ) {
    let isTaken = stream.receive(iq, at: Self.start)
    #expect(isTaken == takes, sourceLocation: location)
  }

  private func expect(
    _ stream: inout InBandStream, takes: Bool, _ message: Message, at location: SourceLocation = #_sourceLocation
  ) {
    let isTaken = stream.receive(message, at: Self.start)
    #expect(isTaken == takes, sourceLocation: location)
  }

  private func outputs(_ stream: inout InBandStream) -> [InBandStream.Output] {
    var all: [InBandStream.Output] = []
    while let output = stream.nextOutput() { all.append(output) }
    return all
  }

  private func answers(_ outputs: [InBandStream.Output]) -> [IQ] {
    outputs.compactMap { if case .send(let stanza) = $0 { try? IQ(stanza) } else { nil } }.filter { $0.request == nil }
  }

  private func condition(_ iq: IQ?) -> StanzaError.Condition? {
    if case .error(let error)? = iq?.content { error.condition } else { nil }
  }

  // MARK: In order

  @Test("A stream goes as in the examples: open, block, close, each with its answer")
  func exchange() throws {
    var pair = InBandPair()
    pair.send(bytes(100), from: 0)
    pair.finish(0)
    pair.run()
    #expect(pair.received[1] == bytes(100))
    #expect(pair.events[0] == [.opened, .ended(.finished)])
    #expect(pair.events[1] == [.opened, .ended(.closedByPeer(undelivered: 0))])
    #expect(pair.sent[0].map { $0.children.first?.name } == ["open", "data", "close"])
    #expect(
      pair.sent[0].first
        == (try stanza(
          """
          <iq from='romeo@montague.net/orchard' id='r8-open4096' to='juliet@capulet.com/balcony' type='set'>\
          <open xmlns='http://jabber.org/protocol/ibb' block-size='4096' sid='i781hf64' stanza='iq'/></iq>
          """)))
    #expect(pair.sent[1].count == 3)
    #expect(pair.sent[1].allSatisfy { $0[attribute: "type"] == "result" && $0.nodes.isEmpty })
    #expect(pair.sent[1].map { $0[attribute: "id"] } == pair.sent[0].map { $0[attribute: "id"] })
  }

  @Test("At 80 ms a round trip, many blocks are under way: ten times fewer round trips than blocks, and more")
  func roundTrips() {
    let data = bytes(4 << 20)
    var pair = InBandPair(delay: .milliseconds(40))
    pair.send(data, from: 0)
    pair.finish(0)
    pair.run()
    #expect(pair.received[1] == data)
    #expect(pair.end(of: 0) == .finished)
    let blocks = data.count / 4096
    let roundTrips = Int(pair.now.nanoseconds / 80_000_000)
    #expect(blocks >= 10 * roundTrips, "\(roundTrips) round trips for \(blocks) blocks")
    #expect(blocks <= 64 * roundTrips)
  }

  @Test("Blocks and bytes under way have their bounds", arguments: [(4096, 64), (65535, 16), (16384, 64), (1, 64)])
  func bounds(blockSize: Int, blocks: Int) {
    var pair = InBandPair(delay: .milliseconds(500), blockSize: blockSize) { $0.sendBuffer = 1 << 24 }
    pair.send(bytes(min(blockSize * 700, 4 << 20)), from: 0)
    var most = 0
    while pair.step() { most = max(most, pair.ends[0].underway.count) }
    #expect(most == blocks)
    #expect(most * blockSize <= 1 << 20)
  }

  @Test("A narrow way is kept busy, without a long queue before it")
  func narrow() {
    // 1.4 MB of base64 a second with 80 ms: 20 blocks fill the way.
    let data = bytes(3 << 20)
    var pair = InBandPair(delay: .milliseconds(40), bytesPerSecond: 1.4e6)
    pair.send(data, from: 0)
    pair.finish(0)
    pair.run { $0.received[1].count >= 1 << 20 }
    // Before the way's end is found, all of the blocks may wait.
    #expect(pair.longestWait < .milliseconds(260))
    pair.longestWait = .zero
    pair.run()
    #expect(pair.received[1] == data)
    #expect(pair.longestWait < .milliseconds(120))
    // A third more than the way itself needs, at most.
    let needed = Double(data.count) * 4 / 3 / 1.4e6
    #expect(Double(pair.now.nanoseconds) / 1e9 < needed * 1.34)
  }

  @Test("Both directions have their own order", arguments: [1, 2, 3] as [UInt64])
  func bothDirections(seed: UInt64) {
    var pair = InBandPair(delay: .milliseconds(7), blockSize: 128)
    var generator = FixedGenerator(state: seed)
    var given: [[UInt8]] = [[], []]
    for _ in 0..<60 {
      let end = Int(generator.next() >> 20 & 1)
      let piece = bytes(Int(generator.next() >> 9 % 700), seed: generator.next())
      given[end] += piece
      pair.send(piece, from: end)
      for _ in 0..<Int(generator.next() >> 13 % 9) { _ = pair.step() }
    }
    pair.run { $0.ends.allSatisfy { $0.undelivered == 0 } }
    pair.finish(1)
    pair.run()
    #expect(pair.received == [given[1], given[0]])
    #expect(pair.end(of: 1) == .finished)
    #expect(pair.end(of: 0) == .closedByPeer(undelivered: 0))
  }

  @Test("Numbers begin again after 65535", arguments: [0, 1, 127, 32767, 32768, 65534, 65535, 131_071] as [UInt64])
  func numbers(first: UInt64) {
    var pair = InBandPair(blockSize: 16)
    pair.ends[0].nextBlock = first
    pair.ends[1].nextSequenceNumber = UInt16(truncatingIfNeeded: first)
    let data = bytes(16 * 100)
    pair.send(data, from: 0)
    pair.finish(0)
    pair.run()
    #expect(pair.received[1] == data)
    #expect(pair.end(of: 0) == .finished)
    let numbers = pair.sent[0].compactMap { $0.children.first?[attribute: "seq"] }
    #expect(numbers == (0..<100).map { String((Int(first) + $0) % 65536) })
  }

  @Test("A part of a block leaves at once when nothing is under way, and waits for more otherwise")
  func parts() {
    var pair = InBandPair()
    pair.run { $0.events[0] == [.opened] }
    for count in [10, 20, 30] { pair.send(bytes(count), from: 0) }
    pair.run()
    let lengths = pair.sent[0].compactMap { $0.children.first }.filter { $0.name == "data" }.map(\.text.utf8.count)
    #expect(lengths == [16, 68])
  }

  @Test("What is given before the stream is open is sent after")
  func early() {
    var pair = InBandPair()
    pair.send([1, 2, 3], from: 0)
    pair.send([4, 5], from: 1)
    pair.run()
    #expect(pair.received == [[4, 5], [1, 2, 3]])
    #expect(pair.end(of: 0) == nil)
  }

  @Test("An empty stream opens and closes")
  func empty() {
    var pair = InBandPair()
    pair.finish(0)
    pair.run()
    #expect(pair.end(of: 0) == .finished)
    #expect(pair.received == [[], []])
  }

  @Test("A full stream says so, and when it is drained")
  func backPressure() {
    var pair = InBandPair { $0.sendBuffer = 65536 }
    pair.send(bytes(65536 + 4 * 4096), from: 0)
    #expect(pair.ends[0].isFull)
    pair.run { $0.events[0].contains(.drained) }
    #expect(!pair.ends[0].isFull)
    #expect(pair.ends[0].undelivered > 0)
    pair.run()
    #expect(pair.events[0] == [.opened, .drained])
  }

  // MARK: Closing

  @Test("The stream is not closed before the last block is answered")
  func lastAnswer() {
    var pair = InBandPair()
    pair.send(bytes(3 * 4096), from: 0)
    pair.run { $0.ends[0].underway.count == 1 }
    pair.finish(0)
    #expect(!pair.sent[0].contains { $0.children.first?.name == "close" })
    let isTaken = pair.ends[0].send([1], at: pair.now)
    #expect(!isTaken)
    pair.run()
    #expect(pair.sent[0].last?.children.first?.name == "close")
    #expect(pair.end(of: 0) == .finished)
  }

  @Test("Both may close at once")
  func crossing() {
    var pair = InBandPair()
    pair.run { $0.events[1] == [.opened] }
    pair.run { $0.events[0] == [.opened] }
    pair.finish(0)
    pair.finish(1)
    pair.run()
    #expect(pair.end(of: 0) == .finished)
    #expect(pair.end(of: 1) == .finished)
  }

  @Test("The peer's wish to close is granted after everything was sent")
  func remainder() {
    let data = bytes(300 * 4096)
    var pair = InBandPair()
    pair.send(data, from: 1)
    pair.run { $0.events[0] == [.opened] }
    pair.finish(0)
    pair.run()
    #expect(pair.received[0] == data)
    #expect(pair.end(of: 0) == .finished)
    #expect(pair.end(of: 1) == .closedByPeer(undelivered: 0))
  }

  @Test("A peer that closes and forgets tells by its errors what it does not have")
  func forgetful() {
    var pair = InBandPair()
    pair.send(bytes(300 * 4096), from: 1)
    pair.run { $0.received[0].count >= 100 * 4096 }
    pair.ends[0].abort()
    pair.settle()
    #expect(pair.end(of: 0) == .aborted)
    pair.run()
    guard case .closedByPeer(let undelivered)? = pair.end(of: 1) else {
      Issue.record("ended with \(String(describing: pair.end(of: 1)))")
      return
    }
    #expect(undelivered >= 300 * 4096 - pair.received[0].count)
    #expect(undelivered < 300 * 4096)
    #expect(pair.sent[1].last?[attribute: "type"] == "result")
  }

  @Test("A peer that has forgotten the stream when it is closed has had everything all the same")
  func unknownAtClose() {
    var pair = InBandPair()
    pair.send(bytes(10), from: 0)
    pair.run { $0.received[1].count == 10 && $0.ends[0].undelivered == 0 }
    pair.ends[1].abort()
    pair.finish(0)
    pair.run()
    #expect(pair.end(of: 0) == .finished)
  }

  // MARK: What goes wrong

  @Test("A stream that the peer refuses, or leaves unanswered, fails")
  func refused() throws {
    var stream = InBandStream(opening: InBandPair.configuration(to: InBandPair.juliet), at: Self.start)
    let error = StanzaError(.notAcceptable, type: .cancel)
    expect(&stream, takes: true, IQ(id: "r8-open4096", from: InBandPair.juliet, .error(error)))
    let streamSaid = outputs(&stream)
    #expect(streamSaid.last == .ended(.failed(.refused(error))))

    var silent = InBandStream(opening: InBandPair.configuration(to: InBandPair.juliet), at: Self.start)
    let deadline = try #require(silent.nextDeadline)
    silent.timeout(at: deadline - .nanoseconds(1))
    #expect(!silent.isEnded)
    silent.timeout(at: deadline)
    let silentSaid = outputs(&silent)
    #expect(silentSaid.last == .ended(.failed(.timedOut)))

    var alone = InBandStream(accepting: InBandPair.configuration(to: InBandPair.juliet), at: Self.start)
    alone.timeout(at: try #require(alone.nextDeadline))
    let aloneSaid = outputs(&alone)
    #expect(aloneSaid == [.ended(.failed(.timedOut))])
  }

  @Test("A peer that wants smaller blocks gets them, and is asked no more when it never has enough")
  func smaller() {
    var pair = InBandPair(delay: .milliseconds(1))
    let open = InBandBytestream.Open(sid: "i781hf64", blockSize: 1000)
    let configuration = InBandStream.Configuration(peer: InBandPair.romeo, open: open, idPrefix: "x")
    pair.ends[1] = InBandStream(accepting: configuration, at: pair.now)
    pair.send(bytes(600), from: 0)
    pair.finish(0)
    pair.run()
    #expect(pair.ends.map(\.blockSize) == [512, 512])
    #expect(pair.received[1] == bytes(600))

    let constraint = StanzaError(.resourceConstraint, type: .modify)
    var stream = InBandStream(opening: InBandPair.configuration(to: InBandPair.juliet), at: Self.start)
    for size in [4096, 2048, 1024, 512, 256] {
      #expect(!stream.isEnded)
      _ = stream.receive(IQ(id: "r8-open\(size)", from: InBandPair.juliet, .error(constraint)), at: Self.start)
    }
    let streamSaid = outputs(&stream)
    #expect(streamSaid.last == .ended(.failed(.refused(constraint))))
  }

  @Test("An acceptor takes smaller blocks than were agreed, refuses larger ones, and opens once")
  func opening() throws {
    var stream = InBandStream(accepting: InBandPair.configuration(to: InBandPair.romeo), at: Self.start)
    try feed(&stream, InBandBytestream.Open(sid: "i781hf64", blockSize: 4097).element)
    #expect(condition(answers(outputs(&stream)).first) == .resourceConstraint)
    try feed(&stream, XMLElement("open", namespace: InBandBytestream.namespace, attributes: ["sid": "i781hf64"]))
    #expect(condition(answers(outputs(&stream)).first) == .badRequest)
    try feed(&stream, InBandBytestream.Open(sid: "i781hf64", blockSize: 1024).element)
    let streamSaid = outputs(&stream)
    #expect(streamSaid.last == .opened)
    #expect(stream.blockSize == 1024)
    try feed(&stream, InBandBytestream.Open(sid: "i781hf64", blockSize: 512).element)
    #expect(condition(answers(outputs(&stream)).first) == .notAcceptable)
    #expect(stream.blockSize == 1024)
    #expect(!stream.isEnded)
  }

  @Test(
    "An error for one block ends the stream, and the peer is told",
    arguments: [
      StanzaError.Condition.itemNotFound, .unexpectedRequest, .badRequest, .recipientUnavailable, .remoteServerTimeout,
    ])
  func blockRefused(condition: StanzaError.Condition) {
    var pair = InBandPair()
    pair.send(bytes(20 * 4096), from: 0)
    pair.run { $0.received[1].count >= 2 * 4096 }
    let id = "r8-\(pair.ends[0].underway.keys.max() ?? 0)"
    _ = pair.ends[0].receive(
      IQ(id: id, from: InBandPair.juliet, .error(StanzaError(condition))), at: pair.now)
    pair.settle()
    #expect(pair.end(of: 0) == .failed(.blockRefused(StanzaError(condition))))
    pair.run()
    #expect(pair.end(of: 1) == .closedByPeer(undelivered: 0))
  }

  @Test(
    "A block out of sequence ends the stream with its error, and nothing of it is kept",
    arguments: [(0, 1), (0, 65535), (1, 0), (1, 3), (65535, 32767), (32768, 0)] as [(UInt16, UInt16)])
  func outOfSequence(expected: UInt16, received: UInt16) throws {
    var stream = try acceptor()
    stream.nextSequenceNumber = expected
    try feed(&stream, InBandBytestream.Block(sid: "i781hf64", sequenceNumber: received, bytes: [1]).element)
    let outputs = outputs(&stream)
    #expect(condition(answers(outputs).first) == .unexpectedRequest)
    #expect(outputs.last == .ended(.failed(.outOfSequence(expected: expected, received: received))))
    #expect(!outputs.contains(.received([1])))
    #expect(
      outputs.contains { if case .send(let stanza) = $0 { stanza.children.first?.name == "close" } else { false } })
    // What follows belongs to no stream.
    let later = InBandBytestream.Block(sid: "i781hf64", sequenceNumber: expected, bytes: [1]).element
    expect(&stream, takes: false, IQ(id: "2", from: InBandPair.romeo, .set(later)))
  }

  @Test(
    "A block that is no base64, or too large, ends the stream as a bad request",
    arguments: ["=AAA", "BBBB=CCC", "*", "AAA"])
  func badBlock(text: String) throws {
    var bad = InBandBytestream.Block(sid: "i781hf64", sequenceNumber: 0, bytes: [])
    bad.text = text
    let large = InBandBytestream.Block(sid: "i781hf64", sequenceNumber: 0, bytes: bytes(4097))
    for block in [bad, large] {
      var stream = try acceptor()
      try feed(&stream, block.element)
      let outputs = outputs(&stream)
      #expect(condition(answers(outputs).first) == .badRequest)
      guard case .ended(.failed(.badBlock))? = outputs.last else {
        Issue.record("\(outputs)")
        return
      }
    }
  }

  @Test("What is not consumed holds the peer back, and is answered when it is")
  func slowConsumer() {
    var pair = InBandPair {
      $0.receiveBuffer = 16384
      $0.maximumBlocks = 8
    }
    pair.consumes = false
    let data = bytes(40 * 4096)
    pair.send(data, from: 0)
    while pair.step(before: Self.start + .seconds(30)) {}
    #expect(pair.received[1].count == 16384 + 4096 * pair.ends[0].underway.count)
    #expect(!pair.ends[0].isEnded)
    var consumed = 0
    for round in 1...100 where consumed < data.count {
      pair.ends[1].consumed(pair.received[1].count - consumed)
      consumed = pair.received[1].count
      pair.settle()
      while pair.step(before: Self.start + .seconds(30 + round)) {}
    }
    #expect(pair.received[1] == data)
  }

  @Test("A peer that does not wait for its answers is stopped", arguments: [0, 4096])
  func overrun(blockSize: Int) throws {
    var stream = try acceptor { $0.receiveBuffer = 16384 }
    var ended: InBandStream.Output?
    // To be held back, something has to lie there.
    for number in 0..<5 as Range<UInt16> {
      try feed(&stream, InBandBytestream.Block(sid: "i781hf64", sequenceNumber: number, bytes: bytes(4096)).element)
    }
    for number in 5..<3000 as Range<UInt16> where !stream.isEnded {
      let block = InBandBytestream.Block(sid: "i781hf64", sequenceNumber: number, bytes: bytes(blockSize))
      try feed(&stream, block.element)
      ended = outputs(&stream).last
    }
    #expect(ended == .ended(.failed(.overrun)))
  }

  @Test("One block that is never answered ends the stream in time, though others were")
  func unanswered() throws {
    var pair = InBandPair()
    pair.send(bytes(4096), from: 0)
    pair.run { $0.sent[0].count == 2 }
    pair.ends[1] = InBandStream(accepting: InBandPair.configuration(to: InBandPair.romeo), at: pair.now)
    pair.ends[1].abort()
    while pair.ends[1].nextOutput() != nil {}
    var stream = pair.ends[0]
    let deadline = try #require(stream.nextDeadline)
    #expect(deadline - pair.now <= .seconds(60))
    stream.timeout(at: deadline)
    let streamSaid = outputs(&stream)
    #expect(streamSaid.last == .ended(.failed(.timedOut)))
  }

  @Test("Everything is delivered though the answer to the closing never comes")
  func silentFarewell() throws {
    var pair = InBandPair()
    pair.send([1], from: 0)
    pair.run { $0.ends[0].phase == .open && $0.ends[0].undelivered == 0 }
    var stream = pair.ends[0]
    stream.finish(at: pair.now)
    stream.timeout(at: try #require(stream.nextDeadline))
    let streamSaid = outputs(&stream)
    #expect(streamSaid.last == .ended(.finished))
  }

  @Test("Without a connection nothing is sent nor waited for")
  func suspended() throws {
    var pair = InBandPair()
    pair.run { $0.events[0] == [.opened] }
    pair.ends[0].suspend()
    let before = pair.sent[0].count
    pair.send(bytes(8192), from: 0)
    #expect(pair.sent[0].count == before)
    #expect(pair.ends[0].nextDeadline == nil)
    pair.now = pair.now + .seconds(300)
    pair.ends[0].timeout(at: pair.now)
    pair.ends[0].resume(at: pair.now)
    pair.settle()
    pair.finish(0)
    pair.run()
    #expect(pair.received[1] == bytes(8192))
    #expect(pair.end(of: 0) == .finished)
  }

  // MARK: Messages

  @Test("Blocks go in messages too, as fast as the network takes them")
  func messages() {
    var pair = InBandPair(delay: .milliseconds(5), carrier: .message)
    let data = bytes(500_000)
    pair.send(data, from: 0)
    var most = 0
    while pair.ends[0].undelivered > 0, pair.step() { most = max(most, pair.ends[0].underway.count) }
    #expect(most <= 64)
    pair.finish(0)
    pair.run()
    #expect(pair.received[1] == data)
    #expect(pair.end(of: 0) == .finished)
    let blocks = pair.sent[0].filter { $0.name == "message" }
    #expect(blocks.count == (500_000 + 4095) / 4096)
    #expect(blocks.allSatisfy { $0[attribute: "id"]?.hasPrefix("r8-") == true })
    #expect(pair.sent[1].filter { $0.name == "message" }.isEmpty)
  }

  @Test("Who agreed on iq does not send messages, whatever the stream is opened with")
  func openedWithMessages() throws {
    var stream = InBandStream(accepting: InBandPair.configuration(to: InBandPair.romeo), at: Self.start)
    try feed(&stream, InBandBytestream.Open(sid: "i781hf64", blockSize: 4096, carrier: .message).element)
    #expect(outputs(&stream).last == .opened)
    stream.send(bytes(100), at: Self.start)
    let sent = outputs(&stream).compactMap { if case .send(let stanza) = $0 { stanza.name } else { nil } }
    #expect(sent == ["iq"])
  }

  @Test("A message that comes back ends the stream, and so does one that is no block")
  func returnedMessages() throws {
    var pair = InBandPair(carrier: .message)
    pair.run { $0.events[0] == [.opened] }
    pair.send([1], from: 0)
    var message = Message(type: .error, id: "r8-0", from: InBandPair.juliet)
    message.error = StanzaError(.recipientUnavailable)
    expect(&pair.ends[0], takes: true, message)
    pair.settle()
    #expect(pair.end(of: 0) == .failed(.blockRefused(StanzaError(.recipientUnavailable))))

    var stream = try acceptor()
    let junk = XMLElement("data", namespace: InBandBytestream.namespace, attributes: ["sid": "i781hf64", "seq": "x"])
    expect(&stream, takes: true, Message(from: InBandPair.romeo, payloads: [junk]))
    guard case .ended(.failed(.badBlock))? = outputs(&stream).last else {
      Issue.record("not ended")
      return
    }
  }

  @Test("Messages without end that nobody consumes are stopped")
  func messageFlood() throws {
    var stream = try acceptor { $0.receiveBuffer = 16384 }
    for number in 0..<100 as Range<UInt16> {
      let block = InBandBytestream.Block(sid: "i781hf64", sequenceNumber: number, bytes: bytes(4096))
      _ = stream.receive(Message(from: InBandPair.romeo, payloads: [block.element]), at: Self.start)
    }
    let streamSaid = outputs(&stream)
    #expect(streamSaid.last == .ended(.failed(.overrun)))
  }

  // MARK: Strangers

  @Test("Stanzas of others, for other streams, or of other kinds are not taken")
  func strangers() throws {
    var stream = try acceptor()
    let block = InBandBytestream.Block(sid: "i781hf64", sequenceNumber: 0, bytes: [1]).element
    let stranger = try jid("romeo@montague.net/other")
    expect(&stream, takes: false, IQ(id: "1", from: stranger, .set(block)))
    expect(&stream, takes: false, IQ(id: "1", .set(block)))
    expect(&stream, takes: false, IQ(id: "1", from: InBandPair.romeo, .get(block)))
    expect(&stream, takes: false, IQ(id: "1", from: InBandPair.romeo, .set(Ping.request)))
    expect(&stream, takes: false, IQ(id: "1", from: InBandPair.romeo, .result(nil)))
    expect(&stream, takes: false, IQ(id: "j9", from: InBandPair.romeo, .result(nil)))
    expect(&stream, takes: false, Message(from: stranger, payloads: [block]))
    expect(&stream, takes: false, Message(from: InBandPair.romeo))
    let other = InBandBytestream.Close(sid: "other").element
    expect(&stream, takes: false, IQ(id: "1", from: InBandPair.romeo, .set(other)))
    let streamSaid = outputs(&stream)
    #expect(streamSaid.isEmpty)
  }

  @Test("Answers to what was never sent, or was answered before, change nothing")
  func falseAnswers() {
    var pair = InBandPair()
    pair.send(bytes(10 * 4096), from: 0)
    pair.run { $0.events[0] == [.opened] }
    let underway = pair.ends[0].underway.count
    for id in ["r8-999", "r8-close", "r8-open4096", "r8--0", "r8-", "r8-x", "r8-18446744073709551616"] {
      _ = pair.ends[0].receive(IQ(id: id, from: InBandPair.juliet, .result(nil)), at: pair.now)
    }
    #expect(pair.ends[0].underway.count == underway)
    pair.finish(0)
    pair.run()
    #expect(pair.end(of: 0) == .finished)
    #expect(pair.received[1] == bytes(10 * 4096))
  }

  @Test("Data before the stream is open belongs to none")
  func premature() {
    var stream = InBandStream(accepting: InBandPair.configuration(to: InBandPair.romeo), at: Self.start)
    for element in [
      InBandBytestream.Block(sid: "i781hf64", sequenceNumber: 0, bytes: [1]).element,
      InBandBytestream.Close(sid: "i781hf64").element,
    ] {
      expect(&stream, takes: false, IQ(id: "1", from: InBandPair.romeo, .set(element)))
    }
    let streamSaid = outputs(&stream)
    #expect(streamSaid.isEmpty)
  }

  @Test("Whatever one thing is wrong with a stanza, the stream copes: it goes on, or ends and says so")
  func mutations() throws {
    var recorded = InBandPair()
    recorded.send(bytes(30), from: 0)
    recorded.run { $0.received[1].count == 30 }
    recorded.finish(0)
    recorded.run()
    for stanza in recorded.sent[0] {
      for mutation in stanza.mutations {
        var stream = try acceptor()
        switch try? Stanza(mutation) {
        case .iq(let iq): _ = stream.receive(iq, at: Self.start)
        case .message(let message): _ = stream.receive(message, at: Self.start)
        case .presence, nil: continue
        }
        let outputs = outputs(&stream)
        if stream.isEnded {
          guard case .ended? = outputs.last else {
            Issue.record("ended without a word: \(mutation)")
            continue
          }
        }
      }
    }
  }
}

@Suite struct XEP0047BlockWindowBehaviorTests {
  private static let start = Instant(nanoseconds: 0)

  /// Rounds in which every place is filled and every answer takes as long as `roundTrip` says for so many blocks.
  private func run(
    _ window: inout BlockWindow, rounds: Int, from now: inout Instant, next: inout UInt64,
    _ roundTrip: (Int) -> Duration
  ) {
    for _ in 0..<rounds {
      let (blocks, first) = (window.blocks, next)
      let duration = roundTrip(blocks)
      now = now + duration
      for number in first..<first + UInt64(blocks) {
        window.answered(number, next: number + UInt64(blocks), after: duration, underway: blocks, at: now)
      }
      next = first + UInt64(blocks)
    }
  }

  @Test("Prompt answers double it up to its bound")
  func grows() {
    var window = BlockWindow(maximum: 64)
    var (now, next) = (Self.start, UInt64(0))
    #expect(window.blocks == 4)
    run(&window, rounds: 6, from: &now, next: &next) { _ in .milliseconds(80) }
    #expect(window.blocks == 64)
    run(&window, rounds: 6, from: &now, next: &next) { _ in .milliseconds(80) }
    #expect(window.blocks == 64)
  }

  @Test("Where the answers take as much longer as there are blocks, it settles above the way's need")
  func settles() {
    var window = BlockWindow(maximum: 64)
    var (now, next) = (Self.start, UInt64(0))
    // The way takes 80 ms for up to 20 blocks, and 4 ms more for each beyond.
    run(&window, rounds: 200, from: &now, next: &next) { .milliseconds(80 + 4 * max(0, $0 - 20)) }
    #expect((20...48).contains(window.blocks), "\(window.blocks)")
  }

  @Test("A way that becomes longer is not taken for a full one for ever")
  func becomesLonger() {
    var window = BlockWindow(maximum: 64)
    var (now, next) = (Self.start, UInt64(0))
    run(&window, rounds: 10, from: &now, next: &next) { _ in .milliseconds(20) }
    run(&window, rounds: 20, from: &now, next: &next) { _ in .milliseconds(200) }
    #expect(window.blocks < 32)
    run(&window, rounds: 250, from: &now, next: &next) { _ in .milliseconds(200) }
    #expect(window.blocks == 64)
  }

  @Test("It never leaves its bounds", arguments: [1, 2, 3, 16, 64])
  func bounds(maximum: Int) {
    var window = BlockWindow(maximum: maximum)
    var generator = FixedGenerator(state: UInt64(maximum))
    var now = Self.start
    for number in 0..<5000 as Range<UInt64> {
      let roundTrip = Duration.microseconds(Int64(generator.next() >> 40 % 1_000_000))
      now = now + .milliseconds(3)
      window.answered(number, next: number + 3, after: roundTrip, underway: 64, at: now)
      #expect((min(2, maximum)...maximum).contains(window.blocks))
    }
  }

  @Test("What is not filled does not grow")
  func idle() {
    var window = BlockWindow(maximum: 64)
    for number in 0..<100 as Range<UInt64> {
      window.answered(number, next: number + 1, after: .milliseconds(80), underway: 1, at: Self.start)
    }
    #expect(window.blocks == 4)
  }
}
