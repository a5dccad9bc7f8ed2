import MediaTime
import XMPPCore

/// Two ends of a stream with a way between them that takes its time: as long as `delay` each way, and no more than
/// `bytesPerSecond` of base64.
struct InBandPair {
  static let romeo = JID(localpart: "romeo", domainpart: "montague.net", resourcepart: "orchard")
  static let juliet = JID(localpart: "juliet", domainpart: "capulet.com", resourcepart: "balcony")
  static let addresses = [romeo, juliet]

  var now = Instant(nanoseconds: 0)
  /// The opener, and the acceptor.
  var ends: [InBandStream]
  var delay: Duration
  var bytesPerSecond: Double?
  /// Whether what was received counts as consumed at once.
  var consumes = true

  var received: [[UInt8]] = [[], []]
  var events: [[InBandStream.Output]] = [[], []]
  /// Stanzas that each end sent.
  var sent: [[XMLElement]] = [[], []]
  /// The longest time that a stanza waited for the way to be free.
  var longestWait = Duration.zero

  private var way: [(at: Instant, to: Int, stanza: XMLElement)] = []
  private var wayIsFree = [Instant(nanoseconds: 0), Instant(nanoseconds: 0)]

  static func configuration(
    to peer: JID, blockSize: Int = 4096, carrier: InBandBytestream.Carrier = .iq
  ) -> InBandStream.Configuration {
    let open = InBandBytestream.Open(sid: "i781hf64", blockSize: blockSize, carrier: carrier)
    return InBandStream.Configuration(peer: peer, open: open, idPrefix: peer == romeo ? "j9" : "r8")
  }

  init(
    delay: Duration = .milliseconds(40), bytesPerSecond: Double? = nil, blockSize: Int = 4096,
    carrier: InBandBytestream.Carrier = .iq, _ change: (inout InBandStream.Configuration) -> Void = { _ in }
  ) {
    self.delay = delay
    self.bytesPerSecond = bytesPerSecond
    var configurations = [Self.juliet, Self.romeo].map {
      Self.configuration(to: $0, blockSize: blockSize, carrier: carrier)
    }
    for index in configurations.indices { change(&configurations[index]) }
    ends = [
      InBandStream(opening: configurations[0], at: now), InBandStream(accepting: configurations[1], at: now),
    ]
    settle()
  }

  /// Carries out what both ends ask for.
  mutating func settle() {
    for end in ends.indices {
      while let output = ends[end].nextOutput() {
        switch output {
        case .send(var stanza):
          stanza[attribute: "from"] = Self.addresses[end].description
          sent[end].append(stanza)
          send(stanza, from: end)
        case .received(let bytes):
          received[end] += bytes
          if consumes { ends[end].consumed(bytes.count) }
        default: events[end].append(output)
        }
      }
    }
  }

  private mutating func send(_ stanza: XMLElement, from end: Int) {
    var arrival = now
    if let bytesPerSecond {
      arrival = max(now, wayIsFree[end])
      longestWait = max(longestWait, arrival - now)
      let size = Double(200 + (stanza.children.first?.text.utf8.count ?? 0))
      arrival = arrival + .seconds(size / bytesPerSecond)
      wayIsFree[end] = arrival
    }
    way.append((arrival + delay, 1 - end, stanza))
  }

  /// Lets the next thing happen: an arrival, or a deadline.
  ///
  /// - Returns: false when there is nothing more to happen, or not before `limit`.
  mutating func step(before limit: Instant? = nil) -> Bool {
    let arrival = way.map(\.at).min()
    let deadline = ends.compactMap(\.nextDeadline).min()
    guard let next = [arrival, deadline].compactMap(\.self).min() else { return false }
    if let limit, next >= limit { return false }
    now = max(now, next)
    if next == arrival, let index = way.firstIndex(where: { $0.at == next }) {
      let (_, end, stanza) = way.remove(at: index)
      arrived(stanza, at: end)
      if stanza.name == "message", stanza[attribute: "type"] == nil { ends[1 - end].taken(1, at: now) }
    } else {
      for end in ends.indices { ends[end].timeout(at: now) }
    }
    settle()
    return true
  }

  mutating func arrived(_ stanza: XMLElement, at end: Int) {
    switch try? Stanza(stanza) {
    case .iq(let iq):
      if !ends[end].receive(iq, at: now), var refusal = InBandBytestream.refusal(of: iq)?.element {
        refusal[attribute: "from"] = Self.addresses[end].description
        send(refusal, from: end)
      }
    case .message(let message): _ = ends[end].receive(message, at: now)
    case .presence, nil: break
    }
  }

  /// Until nothing more happens, or the condition holds.
  mutating func run(until isDone: (InBandPair) -> Bool = { _ in false }) {
    while !isDone(self), step() {}
  }

  mutating func send(_ bytes: some Collection<UInt8>, from end: Int) {
    ends[end].send(bytes, at: now)
    settle()
  }

  mutating func finish(_ end: Int) {
    ends[end].finish(at: now)
    settle()
  }

  func end(of end: Int) -> InBandStream.End? {
    if case .ended(let reason)? = events[end].last { reason } else { nil }
  }
}

extension Duration {
  fileprivate static func seconds(_ seconds: Double) -> Duration { .nanoseconds(Int64(seconds * 1e9)) }
}
