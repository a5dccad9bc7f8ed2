package import MediaTime

/// A stream of bytes inside of stanzas: both directions, several blocks under way at once, all in order.
///
/// Give it what comes from the peer and the bytes to send, then take `nextOutput()` until there is none, and call
/// `timeout(at:)` when `nextDeadline` has come. After `ended` there is no more to come.
///
/// ```
/// opener     opening ── result ──▶ open ── finish, all answered ──▶ closing ── result ──▶ ended
/// acceptor   waiting ── open ────▶
/// ```
///
/// - Specification: XEP-0047 §2, §3
package struct InBandStream: Sendable {
  package struct Configuration: Sendable {
    /// The full address of the other end. Stanzas from anybody else are not this stream's.
    package var peer: JID
    /// What was agreed on. The acceptor takes smaller blocks as well.
    package var open: InBandBytestream.Open
    /// What the ids of stanzas begin with: nobody may guess it (`StanzaID.random`).
    package var idPrefix: String
    /// Blocks and bytes under way at most, before base64.
    package var maximumBlocks = 64
    package var maximumBytesUnderway = 1024 * 1024
    /// Bytes that wait to be sent before the stream is full.
    package var sendBuffer = 256 * 1024
    /// Bytes received and not yet consumed beyond which answers are held back, so that the peer waits. Four times as
    /// many from a peer that does not wait end the stream.
    package var receiveBuffer = 1024 * 1024
    /// How long the peer may leave everything unanswered.
    package var answerTimeout = Duration.seconds(60)
    /// How long the stream's opening and its closing may take.
    package var handshakeTimeout = Duration.seconds(30)

    package init(peer: JID, open: InBandBytestream.Open, idPrefix: String) {
      self.peer = peer
      self.open = open
      self.idPrefix = idPrefix
    }
  }

  /// How the stream ended.
  package enum End: Hashable, Sendable {
    /// As this side wanted: the peer has everything that was sent.
    case finished
    /// By the peer, which does not have the last so many bytes that were given to be sent.
    case closedByPeer(undelivered: Int)
    /// By `abort()`.
    case aborted
    case failed(Failure)
  }

  package enum Failure: Error, Hashable, Sendable {
    /// The peer does not want to open the stream.
    case refused(StanzaError)
    /// A block could not be delivered, or the peer could not make use of it.
    case blockRefused(StanzaError)
    /// Blocks from the peer were lost, or came twice.
    case outOfSequence(expected: UInt16, received: UInt16)
    /// The peer's block was no base64, or too large.
    case badBlock(StanzaError)
    /// The peer does not wait for its answers, and sends more than can be consumed.
    case overrun
    /// The peer did not open the stream, or answer, in time.
    case timedOut
  }

  package enum Output: Hashable, Sendable {
    case send(XMLElement)
    case opened
    /// Tell `consumed` when they are dealt with.
    case received([UInt8])
    /// A stream that was full can take bytes again.
    case drained
    /// The last one.
    case ended(End)
  }

  enum Phase: Hashable {
    case waiting, opening, open, closing, ended
  }

  /// Answers that are held back at most: a bound for blocks without bytes.
  static let maximumHeldAnswers = 1024
  /// Blocks are not made smaller than this for a peer that wants them smaller than was agreed.
  static let minimumBlockSize = 256

  package let configuration: Configuration
  /// The bytes that a block has at most.
  package internal(set) var blockSize: Int
  package internal(set) var window: BlockWindow

  var phase: Phase
  var outputs: [Output] = []
  var firstOutput = 0
  /// Set when nothing is expected to come before then.
  var deadline: Instant?
  var isSuspended = false

  // Sending.
  var outgoing = ByteQueue()
  var underway: [UInt64: (bytes: Int, sent: Instant)] = [:]
  var bytesUnderway = 0
  var nextBlock: UInt64 = 0
  var wasFull = false
  var isFinishing = false
  var carrier: InBandBytestream.Carrier

  // Receiving.
  var nextSequenceNumber: UInt16 = 0
  var unconsumed = 0
  var heldAnswers: [IQ] = []
  /// The peer's wish to close, which is granted when all is sent.
  var peersClose: IQ?

  /// The end that sends `<open/>`: with Jingle, that of the session's initiator.
  package init(opening configuration: Configuration, at now: Instant) {
    self.init(configuration, phase: .opening, at: now)
    sendOpen(at: now)
  }

  /// The end that waits for `<open/>`.
  package init(accepting configuration: Configuration, at now: Instant) {
    self.init(configuration, phase: .waiting, at: now)
  }

  private init(_ configuration: Configuration, phase: Phase, at now: Instant) {
    precondition((1...InBandBytestream.maximumBlockSize).contains(configuration.open.blockSize))
    self.configuration = configuration
    self.phase = phase
    blockSize = configuration.open.blockSize
    carrier = configuration.open.carrier
    window = BlockWindow(
      maximum: min(configuration.maximumBlocks, configuration.maximumBytesUnderway / configuration.open.blockSize))
    deadline = now + configuration.handshakeTimeout
  }

  package var isEnded: Bool { phase == .ended }

  /// What was given to be sent and is not answered yet.
  package var undelivered: Int { outgoing.count + bytesUnderway }

  /// Whether whoever gives bytes should wait for `drained`.
  package var isFull: Bool { outgoing.count >= configuration.sendBuffer }

  package var nextDeadline: Instant? { isSuspended ? nil : deadline }

  package mutating func nextOutput() -> Output? {
    guard firstOutput < outputs.count else {
      outputs.removeAll(keepingCapacity: true)
      firstOutput = 0
      return nil
    }
    defer { firstOutput += 1 }
    return outputs[firstOutput]
  }

  // MARK: Requests

  /// Queues bytes. They leave in blocks; what does not fill one leaves when nothing else is under way.
  ///
  /// - Returns: false when the stream takes no more, since it is ended, finishing, or about to be closed by the peer.
  @discardableResult
  package mutating func send(_ bytes: some Collection<UInt8>, at now: Instant) -> Bool {
    guard phase != .ended, !isFinishing, peersClose == nil else { return false }
    outgoing.append(bytes)
    fill(at: now)
    wasFull = wasFull || isFull
    return true
  }

  /// Closes the stream once the peer has answered everything.
  package mutating func finish(at now: Instant) {
    guard phase != .ended, !isFinishing else { return }
    isFinishing = true
    fill(at: now)
  }

  /// Closes the stream at once.
  package mutating func abort() {
    guard phase != .ended else { return }
    end(.aborted)
  }

  /// Bytes that were received are dealt with: the peer may send as many again.
  package mutating func consumed(_ count: Int) {
    unconsumed = max(0, unconsumed - count)
    if unconsumed <= configuration.receiveBuffer { releaseAnswers() }
  }

  /// Of the blocks sent in messages, so many more were taken by the network. These wait for that in place of answers.
  package mutating func taken(_ blocks: Int, at now: Instant) {
    guard carrier == .message, phase == .open else { return }
    for number in underway.keys.sorted().prefix(blocks) { answered(number, at: now) }
    fill(at: now)
  }

  /// There is no connection to the server for the time being: nothing is sent and nothing waited for, until `resume`.
  package mutating func suspend() { isSuspended = true }

  /// The connection is there again, and has what was sent before.
  package mutating func resume(at now: Instant) {
    guard isSuspended, phase != .ended else { return }
    isSuspended = false
    if deadline != nil {
      deadline = now + (phase == .open ? configuration.answerTimeout : configuration.handshakeTimeout)
    }
    fill(at: now)
  }

  package mutating func timeout(at now: Instant) {
    guard let deadline = nextDeadline, deadline <= now else { return }
    // The peer has answered every block, and may have forgotten the stream since. Messages have no other answer.
    if phase == .closing, carrier == .iq { return end(.finished, saying: false) }
    end(.failed(.timedOut))
  }

  // MARK: Ending

  /// - Parameter saying: whether the peer is still to be told.
  mutating func end(_ end: End, saying: Bool = true) {
    releaseAnswers()
    if let close = peersClose {
      outputs.append(.send(close.reply(.result(nil)).element))
    } else if saying, phase != .waiting {
      sendClose()
    }
    outputs.append(.ended(end))
    phase = .ended
    deadline = nil
    outgoing = ByteQueue()
    underway = [:]
  }

  mutating func sendClose() {
    request(InBandBytestream.Close(sid: configuration.open.sid).element, id: "close")
  }

  mutating func sendOpen(at now: Instant) {
    var open = configuration.open
    open.blockSize = blockSize
    request(open.element, id: "open\(blockSize)")
    deadline = now + configuration.handshakeTimeout
  }

  mutating func request(_ element: XMLElement, id: String) {
    let iq = IQ(id: "\(configuration.idPrefix)-\(id)", to: configuration.peer, .set(element))
    outputs.append(.send(iq.element))
  }

  mutating func releaseAnswers() {
    for answer in heldAnswers { outputs.append(.send(answer.element)) }
    heldAnswers = []
  }
}

/// Bytes that are taken in the order in which they were given.
struct ByteQueue: Sendable {
  private var bytes: [UInt8] = []
  private var first = 0

  var count: Int { bytes.count - first }

  mutating func append(_ new: some Collection<UInt8>) {
    // What was taken is dropped when it is most of what there is: each byte is moved once at most.
    if first > bytes.count / 2 {
      bytes.removeFirst(first)
      first = 0
    }
    bytes.append(contentsOf: new)
  }

  /// Takes `count` bytes, which must be there.
  mutating func take<Result>(_ count: Int, _ use: (ArraySlice<UInt8>) -> Result) -> Result {
    let result = use(bytes[first..<first + count])
    first += count
    if first == bytes.count {
      bytes.removeAll(keepingCapacity: true)
      first = 0
    }
    return result
  }
}
