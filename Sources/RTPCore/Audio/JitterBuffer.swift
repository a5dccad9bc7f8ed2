package import MediaTime

/// Turns packets that come unevenly, in any order or not at all into an even stream of audio.
///
/// Playout runs on a grid of 20 ms ticks that never moves. A frame's place on it, its delay after the fastest packets,
/// follows how unevenly packets come:
/// - It grows by itself when a tick finds nothing to play: the time is concealed, and the frame that comes late is
///   played late. (If instead the next frame comes, the concealed time is the lost frame's.) Frames that were overtaken
///   and came too late make it grow too.
/// - It shrinks by leaving out silence and lost frames, or else now and then a frame, when it is well above its target.
package struct JitterBuffer: Sendable {
  package struct Configuration: Hashable, Sendable {
    package var minimumDelay: Duration
    package var initialDelay: Duration
    package var maximumDelay: Duration
    /// At most so many packets wait; the oldest is dropped.
    package var capacity: Int

    package init(
      minimumDelay: Duration = .milliseconds(20), initialDelay: Duration = .milliseconds(60),
      maximumDelay: Duration = .milliseconds(500), capacity: Int = 256
    ) {
      self.minimumDelay = minimumDelay
      self.initialDelay = initialDelay
      self.maximumDelay = maximumDelay
      self.capacity = capacity
    }
  }

  /// A packet of the stream, its payload known to be valid.
  package struct Packet: Hashable, Sendable {
    package var sequenceNumber: ExtendedSequenceNumber
    package var timestamp: RTPTimestamp
    package var codec: AudioCodec
    package var payload: [UInt8]
    /// In ticks of the clock rate: a multiple of 2.5 ms.
    package var duration: Int
    /// The encoder has nothing to say (DTX).
    package var isSilence: Bool
    /// On the sender's wall clock; nil while unknown.
    package var captureTime: NTPTime?

    package init(
      sequenceNumber: ExtendedSequenceNumber, timestamp: RTPTimestamp, codec: AudioCodec, payload: [UInt8],
      duration: Int, isSilence: Bool, captureTime: NTPTime? = nil
    ) {
      self.sequenceNumber = sequenceNumber
      self.timestamp = timestamp
      self.codec = codec
      self.payload = payload
      self.duration = duration
      self.isSilence = isSilence
      self.captureTime = captureTime
    }
  }

  package struct Statistics: Hashable, Sendable {
    /// How long the fastest packets wait until they are played.
    package var delay: Duration = .zero
    package var targetDelay: Duration = .zero
    /// Played without a frame since none was there, in ticks. Silence that the sender left out is not among them.
    package var concealedSamples = 0
    /// Left out by the sender.
    package var silentSamples = 0
    /// By which the delay has grown: concealed time that was nobody's.
    package var insertedSamples = 0
    /// By which the delay has shrunk: frames, losses and silence that were not played.
    package var droppedSamples = 0
    package var latePackets = 0
    /// Thrown away since too many waited, or the sender started anew.
    package var discardedPackets = 0
    /// How often playout began anew because the timestamps jumped.
    package var resynchronizations = 0
  }

  private struct Entry {
    var packet: Packet
    var position: Int64
    var arrival: Instant
  }

  private enum State {
    /// Nothing has come yet.
    case idle
    case playing
    /// The stream has ended: what is left is played.
    case draining
    case drained
  }

  private let configuration: Configuration
  private let clockRate: Int
  private let tick: Int
  /// 2.5 ms: all durations are multiples of it.
  private let quantum: Int

  private var state = State.idle
  /// By sequence number, lowest first.
  private var entries: [Entry] = []
  private var delays: DelayEstimator
  private var settled = Statistics()

  /// Tick 0 of the grid; all times below are ticks of the clock rate since then.
  private var origin = Instant(nanoseconds: 0)
  /// The next tick's number on the grid.
  private var nextTick: Int64 = 0
  /// What the ticks so far have asked for and is not played yet; negative when a long frame reaches into the next
  /// ticks.
  private var owed = 0
  /// The position to be played next.
  private var cursor: Int64 = 0
  /// Concealed beyond the cursor, while nobody knows whether the frame there is lost, late or was never sent.
  private var stalled = 0
  private var stalledCause = Concealment.Cause.loss
  /// Packets of the stream that hold no audio, so that they are not missed: the last ones.
  private var skipped: [ExtendedSequenceNumber] = []
  private var newest: (sequenceNumber: ExtendedSequenceNumber, timestamp: RTPTimestamp, position: Int64)?
  /// The last packet played, or skipped.
  private var played: (sequenceNumber: ExtendedSequenceNumber, isSilence: Bool)?
  private var lastAdjustment: Int64 = 0
  private var overtakenSinceAdjustment = false
  private var isCatchingUp = false

  package init(clockRate: Int = 48_000, configuration: Configuration = .init()) {
    precondition(clockRate > 0 && clockRate % 400 == 0, "2.5 ms are a whole number of ticks")
    self.clockRate = clockRate
    self.configuration = configuration
    tick = clockRate / 50
    quantum = clockRate / 400
    delays = DelayEstimator(
      clockRate: clockRate, longest: configuration.maximumDelay.ticks(clockRate: clockRate))
  }

  /// When `next` has something to play again; nil while there is no stream.
  package var nextDeadline: Instant? {
    switch state {
    case .idle, .drained: nil
    case .playing, .draining: origin + Duration.milliseconds(20) * Int(nextTick)
    }
  }

  package var statistics: Statistics {
    var statistics = settled
    statistics.delay = .ticks(max(0, delay), clockRate: clockRate)
    statistics.targetDelay = .ticks(targetDelay, clockRate: clockRate)
    if stalledCause == .silence {
      statistics.silentSamples += stalled
    } else {
      statistics.concealedSamples += stalled
    }
    return statistics
  }

  // MARK: Packets in

  /// Takes a packet that has come now, in any order.
  package mutating func insert(_ packet: Packet, at now: Instant) {
    precondition(packet.duration > 0 && packet.duration % quantum == 0, "durations are multiples of 2.5 ms")
    var position: Int64
    if let newest, state != .idle {
      position = newest.position &+ Int64(packet.timestamp - newest.timestamp)
      let isNewest = packet.sequenceNumber > newest.sequenceNumber
      if state == .drained || isNewest && hasJumped(to: position, at: now) {
        position = resynchronize(at: now)
      } else if !isNewest {
        guard !hasJumped(to: position, at: now) else {
          settled.discardedPackets += 1
          return
        }
        noteArrival(of: position, at: now)
        return insert(Entry(packet: packet, position: position, arrival: now))
      }
    } else {
      position = start(at: now)
    }
    state = .playing
    newest = (packet.sequenceNumber, packet.timestamp, position)
    noteArrival(of: position, at: now)
    insert(Entry(packet: packet, position: position, arrival: now))
  }

  /// A packet of the stream has come that holds no audio. The time of which it tells is the sender's silence.
  package mutating func skip(_ number: ExtendedSequenceNumber) {
    guard state != .idle, number > played?.sequenceNumber ?? number + -1 else { return }
    if skipped.count == configuration.capacity { skipped.removeFirst() }
    skipped.append(number)
  }

  /// The packet that is to be played next, or nil when any may be.
  private var expected: ExtendedSequenceNumber? {
    guard var number = played.map({ $0.sequenceNumber + 1 }) else { return nil }
    while skipped.contains(number) { number = number + 1 }
    return number
  }

  /// The stream has ended: playout stops when what has come is played.
  package mutating func drain() {
    if state == .playing { state = .draining }
  }

  /// Hands out what waits, in order: there is no time left to play it.
  package mutating func takeAll() -> [ReceivedAudioFrame] {
    var frames: [ReceivedAudioFrame] = []
    while !entries.isEmpty { frames.append(take()) }
    return frames
  }

  /// A new stream takes the old one's place, its numbers and timestamps having nothing to do with the old one's.
  package mutating func restart() {
    guard state != .idle else { return }
    settled.discardedPackets += entries.count
    entries.removeAll(keepingCapacity: true)
    skipped.removeAll(keepingCapacity: true)
    state = .drained
  }

  private mutating func start(at now: Instant) -> Int64 {
    origin = now + configuration.initialDelay
    return 0
  }

  /// Lets the next packet be played after the target delay, and silence until then.
  ///
  /// - Returns: the packet's position.
  private mutating func resynchronize(at now: Instant) -> Int64 {
    let arrival = time(of: now)
    if state == .drained {
      // Ticks have stopped meanwhile: the stream's time has gone on.
      let missed = max(0, arrival / Int64(tick) + 1 - nextTick)
      nextTick += missed
      cursor += missed * Int64(tick)
    }
    settled.resynchronizations += 1
    settled.discardedPackets += entries.count
    entries.removeAll(keepingCapacity: true)
    settleStall(as: stalledCause)
    cursor += Int64(stalled)
    stalled = 0
    delays.rebase()
    played = nil
    lastAdjustment = arrival
    let first = (arrival + targetDelay + Int64(tick) - 1) / Int64(tick) * Int64(tick)
    return cursor + max(0, first - playoutTime)
  }

  private func hasJumped(to position: Int64, at now: Instant) -> Bool {
    guard let fastest = delays.fastestTransit else { return false }
    return abs(time(of: now) - position - fastest) > Int64(clockRate)
  }

  private mutating func noteArrival(of position: Int64, at now: Instant) {
    let arrival = time(of: now)
    delays.note(transit: arrival - position, arrival: arrival)
  }

  private mutating func insert(_ entry: Entry) {
    guard !isLate(entry) else {
      settled.latePackets += 1
      overtakenSinceAdjustment = true
      return
    }
    let number = entry.packet.sequenceNumber
    let index = (entries.lastIndex { $0.packet.sequenceNumber <= number }).map { $0 + 1 } ?? 0
    if index > 0, entries[index - 1].packet.sequenceNumber == number { return }
    entries.insert(entry, at: index)
    if entries.count > configuration.capacity {
      entries.removeFirst()
      settled.discardedPackets += 1
    }
  }

  private func isLate(_ entry: Entry) -> Bool {
    if let played, entry.packet.sequenceNumber <= played.sequenceNumber { return true }
    return entry.position <= cursor - Int64(quantum)
  }

  // MARK: Audio out

  /// The next piece that is due; to be called until it returns nil.
  package mutating func next(at now: Instant) -> PlayoutUnit? {
    while true {
      guard owed <= 0 else {
        if let unit = nextUnit() { return unit }
        if state == .drained { return nil }
        continue
      }
      guard let deadline = nextDeadline, deadline <= now else { return nil }
      let missed = (now - deadline).nanoseconds / 20_000_000
      if missed > 25 {
        // The process was held up for more than half a second: that time is over, nobody wants to hear it now.
        nextTick += missed
        cursor += missed * Int64(tick)
        settled.droppedSamples += Int(missed) * tick
      }
      nextTick += 1
      owed += tick
    }
  }

  /// One piece, or nil when only the state has changed.
  private mutating func nextUnit() -> PlayoutUnit? {
    while let first = entries.first, isLate(first) {
      entries.removeFirst()
      settled.latePackets += 1
    }
    guard let first = entries.first else { return fillUnderrun() }
    let isContiguous = expected.map { $0 == first.packet.sequenceNumber } ?? true
    endStall(before: first, as: isContiguous ? .silence : .loss)
    let gap = Int(clamping: first.position - cursor)
    if gap >= quantum {
      return isContiguous ? fillSilence(gap) : fillLoss(gap, before: first.packet)
    }

    if shouldSkip(first.packet.duration, isAudible: !first.packet.isSilence) {
      settled.droppedSamples += first.packet.duration
      return .skipped(take())
    }
    if shouldStretch {
      adjusted()
      settled.insertedSamples += tick
      settled.concealedSamples += tick
      return conceal(tick, cause: .stretch)
    }
    owed -= first.packet.duration
    return .frame(take())
  }

  /// Removes the first packet and moves the cursor behind it.
  private mutating func take() -> ReceivedAudioFrame {
    let entry = entries.removeFirst()
    let packet = entry.packet
    played = (packet.sequenceNumber, packet.isSilence)
    if !skipped.isEmpty { skipped.removeAll { $0 <= packet.sequenceNumber } }
    cursor = entry.position + Int64(packet.duration)
    return ReceivedAudioFrame(
      codec: packet.codec, payload: packet.payload, position: entry.position, duration: packet.duration,
      arrival: entry.arrival, captureTime: packet.captureTime)
  }

  private mutating func fillUnderrun() -> PlayoutUnit? {
    guard state != .draining else {
      state = .drained
      cursor += Int64(stalled)
      settleStall(as: stalledCause)
      stalled = 0
      owed = 0
      return nil
    }
    let duration = owed
    let isLeftOut = !skipped.isEmpty && played.map { skipped.contains($0.sequenceNumber + 1) } == true
    if stalled == 0 { stalledCause = played?.isSilence ?? true || isLeftOut ? .silence : .loss }
    if stalledCause == .silence {
      if delay + Int64(duration) <= targetDelay {
        settled.insertedSamples += duration
        settled.silentSamples += duration
        return conceal(duration, cause: .silence)
      }
      if delay - Int64(tick) >= targetDelay {
        settled.droppedSamples += tick
        cursor += Int64(tick)
      }
    }
    stalled += duration
    return conceal(duration, cause: stalledCause)
  }

  /// A packet has come after ticks that found none: the time concealed was a gap before it, or it is late.
  private mutating func endStall(before first: Entry, as cause: Concealment.Cause) {
    guard stalled > 0 else { return }
    let due = cursor + Int64(stalled)
    if first.position >= due {
      settleStall(as: cause)
      cursor = due
    } else {
      settleStall(as: stalledCause)
      settled.insertedSamples += Int(due - max(first.position, cursor))
      cursor = max(first.position, cursor)
      adjusted()
    }
    stalled = 0
  }

  private mutating func settleStall(as cause: Concealment.Cause) {
    if cause == .silence {
      settled.silentSamples += stalled
    } else {
      settled.concealedSamples += stalled
    }
  }

  /// Frames that the sender left out: the place to correct the delay unheard.
  private mutating func fillSilence(_ gap: Int) -> PlayoutUnit? {
    let duration = min(gap - gap % quantum, owed)
    if delay + Int64(duration) <= targetDelay {
      settled.insertedSamples += duration
      settled.silentSamples += duration
      return conceal(duration, cause: .silence)
    }
    let isSkipped = shouldSkip(duration, isAudible: false)
    cursor += Int64(duration)
    if isSkipped {
      settled.droppedSamples += duration
      return nil
    }
    settled.silentSamples += duration
    return conceal(duration, cause: .silence)
  }

  /// Lost frames, assumed to be as long as the one behind them, one by one so that the last may be mended from that
  /// one.
  private mutating func fillLoss(_ gap: Int, before next: Packet) -> PlayoutUnit? {
    let rest = gap % next.duration
    let duration = rest >= quantum ? rest - rest % quantum : next.duration
    let isSkipped = shouldSkip(duration, isAudible: true)
    cursor += Int64(duration)
    if isSkipped {
      settled.droppedSamples += duration
      return nil
    }
    settled.concealedSamples += duration
    let isLast = gap - duration < quantum
    return conceal(duration, cause: .loss, nextPayload: isLast && next.codec == .opus ? next.payload : nil)
  }

  private mutating func conceal(
    _ duration: Int, cause: Concealment.Cause, nextPayload: [UInt8]? = nil
  ) -> PlayoutUnit {
    owed -= duration
    return .concealment(Concealment(duration: duration, cause: cause, nextPayload: nextPayload))
  }

  // MARK: Delay

  private func time(of instant: Instant) -> Int64 {
    (instant - origin).ticks(clockRate: clockRate)
  }

  /// When what comes next is played.
  private var playoutTime: Int64 { nextTick * Int64(tick) - Int64(owed) }

  private var targetDelay: Int64 {
    let needed = delays.neededDelay ?? configuration.initialDelay.ticks(clockRate: clockRate)
    let lowest = configuration.minimumDelay.ticks(clockRate: clockRate)
    let highest = configuration.maximumDelay.ticks(clockRate: clockRate)
    return max(lowest, min(needed, highest))
  }

  /// How long the fastest packets wait.
  private var delay: Int64 {
    guard let fastest = delays.fastestTransit else { return 0 }
    return playoutTime - cursor - Int64(stalled) - fastest
  }

  private mutating func adjusted() {
    lastAdjustment = playoutTime
    overtakenSinceAdjustment = false
  }

  /// Whether to leave `duration` out. What can be heard goes seldom and only when the delay is well above its target.
  private mutating func shouldSkip(_ duration: Int, isAudible: Bool) -> Bool {
    let excess = delay - targetDelay
    if delay > configuration.maximumDelay.ticks(clockRate: clockRate) { isCatchingUp = true }
    if excess < Int64(duration) { isCatchingUp = false }
    if isCatchingUp || !isAudible && excess >= Int64(duration) {
      adjusted()
      return true
    }
    let isFarAbove = excess > Int64(clockRate) / 10
    let pause = Int64(isFarAbove ? clockRate / 5 : clockRate)
    guard excess > Int64(duration + tick), playoutTime - lastAdjustment >= pause else { return false }
    adjusted()
    return true
  }

  /// Whether to hold the next frame back, since others were overtaken and came too late.
  private var shouldStretch: Bool {
    overtakenSinceAdjustment && delay + Int64(tick) / 2 < targetDelay
      && playoutTime - lastAdjustment >= Int64(clockRate)
  }
}

extension Duration {
  func ticks(clockRate: Int) -> Int64 {
    Instant(nanoseconds: nanoseconds).ticks(clockRate: clockRate)
  }

  fileprivate static func ticks(_ ticks: Int64, clockRate: Int) -> Duration {
    .nanoseconds(Int64(Double(ticks) * 1e9 / Double(clockRate)))
  }
}
