package import MediaTime

/// Puts packets back in order and makes frames of them.
///
/// Insert packets as they come, then take `nextFrame` until it is nil; look again at `nextDeadline`. Frames come out in
/// order and as soon as they are whole. A missing packet holds up what comes behind it, so that it can be asked for
/// again; when its time is over, the stream goes on at the next frame that does not build on what is missing: one of a
/// lower temporal layer, or a key frame, which `needsKeyFrame` then asks for.
///
/// - Specification: RFC 7741 §4.5, RFC 9628 §4.3
package struct FrameAssembler: Sendable {
  package struct Configuration: Hashable, Sendable {
    /// How long a missing packet holds up the frames behind it: several round trips, so that it can be sent again.
    package var patience: Duration
    /// Packets kept at most. When there is no room, everything up to the next key frame is dropped.
    package var packetCapacity: Int
    /// Bytes kept at most, likewise.
    package var byteCapacity: Int

    package init(
      patience: Duration = .milliseconds(500), packetCapacity: Int = 2048, byteCapacity: Int = 4 << 20
    ) {
      self.patience = patience
      self.packetCapacity = packetCapacity
      self.byteCapacity = byteCapacity
    }
  }

  /// A stream's figures since its start.
  ///
  /// - Specification: W3C webrtc-stats §8.3 (`framesReceived`, `framesDropped`, `freezeCount`, `totalFreezesDuration`)
  package struct Statistics: Hashable, Sendable {
    /// Handed on.
    package var framesReceived = 0
    package var keyFramesReceived = 0
    /// Of which something had come, or that stood in a gap that was given up, as far as picture numbers tell.
    package var framesDropped = 0
    /// Frames that came much later than the ones before: by three times the mean interval, and by 150 ms more.
    package var freezeCount = 0
    package var totalFreezesDuration: Duration = .zero
    /// After their frame was handed on or given up.
    package var packetsLate = 0
    package var packetsMalformed = 0
    /// The time from each frame's first packet until it was handed on, over all frames.
    package var totalAssemblyDelay: Duration = .zero
  }

  package private(set) var codec: VideoPayloadFormat
  /// How long packets may be missing; it may follow the round trip time.
  package var patience: Duration
  /// Whether nothing can be handed on before a key frame comes.
  package private(set) var needsKeyFrame = true
  package private(set) var statistics = Statistics()

  private let configuration: Configuration
  private var packets: VideoPacketRing
  private var byteCount = 0
  /// Arrays of packets that were handed on, so that later ones need not allocate.
  private var spareStorage: [[UInt8]] = []
  private var highest: Int64?
  /// The first packet that has not been handed on; nil before the first frame.
  private var cursor: Int64?
  /// Where the key frames begin that have not been handed on, in rising order.
  private var keyFrameStarts: [Int64] = []
  /// The packet that is waited for, and since when.
  private var gap: (number: Int64, since: Instant)?
  private var lastPicture: PictureID?
  private var lastBaseLayerIndex: UInt8?
  /// Pictures handed on, for those that name what they build on.
  private var recentPictures: [PictureID] = []
  /// Frames begun that were dropped since the last one that was handed on; nil when nothing was left out.
  private var droppedSinceLast: Int?
  private var lastFrameAt: Instant?
  /// Of the last 30 frames or so, in seconds.
  private var meanInterval = 0.0

  package init(codec: VideoPayloadFormat, configuration: Configuration = .init()) {
    self.codec = codec
    self.configuration = configuration
    packets = VideoPacketRing(capacity: configuration.packetCapacity)
    patience = configuration.patience
  }

  package var packetCount: Int { packets.count }

  /// Whether a key frame has begun to come that was not handed on.
  package var isKeyFrameUnderWay: Bool { !keyFrameStarts.isEmpty }

  /// The first packet that is still wanted, for the one who asks for missing ones; nil before the first frame.
  package var firstWanted: ExtendedSequenceNumber? { cursor.map(ExtendedSequenceNumber.init(rawValue:)) }

  /// When a missing packet is given up, nil when none is waited for.
  package var nextDeadline: Instant? { gap.map { $0.since + patience } }

  /// Takes a packet's payload; an empty one fills its place in the order.
  package mutating func insert(
    _ payload: Span<UInt8>, number: ExtendedSequenceNumber, timestamp: RTPTimestamp, marker: Bool, at now: Instant
  ) {
    let number = number.rawValue
    guard number >= cursor ?? .min else {
      statistics.packetsLate += 1
      return
    }
    guard packets[number] == nil else { return }
    var packet = VideoPacket(
      number: number, timestamp: timestamp, marker: marker, payload: [], content: nil, arrival: now)
    if !payload.isEmpty {
      guard let content = try? VideoPayload(codec: codec, parsing: payload) else {
        statistics.packetsMalformed += 1
        return
      }
      packet.content = content
    }
    if !hasRoom(for: packet, size: payload.count) { overflow(before: packet, size: payload.count) }
    if !payload.isEmpty {
      packet.payload = spareStorage.popLast() ?? []
      packet.payload.append(payload)
    }
    byteCount += payload.count
    packets.insert(packet)
    highest = max(highest ?? number, number)
    if packet.content?.isKeyFrame == true {
      keyFrameStarts.insert(number, at: keyFrameStarts.firstIndex { $0 > number } ?? keyFrameStarts.count)
    }
  }

  /// The next frame in order, or nil when there is none yet.
  package mutating func nextFrame(at now: Instant) -> ReceivedVideoFrame? {
    while let start = needsKeyFrame ? keyFrameStarts.first : cursor {
      switch extent(from: start) {
      case .whole(let range):
        gap = nil
        return take(range, at: now)
      case .filler:
        drop(before: start + 1)
      case .broken(let next):
        goOn(from: next)
      case .missing(let number):
        guard highest ?? number > number else {
          gap = nil
          return nil
        }
        if gap?.number != number { gap = (number, now) }
        guard let gap, now - gap.since >= patience else { return nil }
        goOn(from: number + 1)
      }
    }
    return nil
  }

  /// The stream has begun anew: other numbers, other pictures, maybe another codec.
  package mutating func restart(codec: VideoPayloadFormat? = nil) {
    self.codec = codec ?? self.codec
    dropAll()
    cursor = nil
    highest = nil
    needsKeyFrame = true
  }

  /// No frames are expected for now: the time until the next one is no freeze, and what is left out by then is not
  /// missed.
  package mutating func pause() {
    lastFrameAt = nil
    lastPicture = nil
    droppedSinceLast = nil
  }

  // MARK: Frames

  private enum Extent {
    case whole(ClosedRange<Int64>)
    case filler
    /// No frame begins here, or another one begins before it ends: the sender has left something out.
    case broken(next: Int64)
    case missing(Int64)
  }

  /// What stands in the buffer from a packet on.
  private func extent(from start: Int64) -> Extent {
    guard let first = packets[start] else { return .missing(start) }
    guard let content = first.content else { return .filler }
    guard content.beginsFrame else { return .broken(next: start + 1) }
    var number = start
    var packet = first
    while !packet.marker {
      number += 1
      guard let next = packets[number] else { return .missing(number) }
      if next.content?.beginsFrame == true || next.timestamp != first.timestamp { return .broken(next: number) }
      packet = next
    }
    return .whole(start...number)
  }

  private mutating func take(_ range: ClosedRange<Int64>, at now: Instant) -> ReceivedVideoFrame? {
    drop(before: range.lowerBound)
    let size = range.reduce(0) { $0 + (packets[$1]?.content?.dataRange.count ?? 0) }
    guard let first = packets[range.lowerBound], let content = first.content else { return nil }
    var frame = ReceivedVideoFrame(
      codec: codec, payload: [], isKeyFrame: content.isKeyFrame, timestamp: first.timestamp, size: content.size,
      temporalLayer: content.temporalLayer ?? 0, firstArrival: first.arrival)
    frame.payload.reserveCapacity(size)
    for number in range {
      guard var packet = packets.remove(number) else { continue }
      frame.firstArrival = min(frame.firstArrival, packet.arrival)
      if let content = packet.content { frame.payload.append(packet.payload.span.extracting(content.dataRange)) }
      recycle(&packet.payload)
    }
    cursor = range.upperBound + 1
    keyFrameStarts.removeAll { $0 <= range.upperBound }
    needsKeyFrame = false
    note(frame, content, at: now)
    return frame
  }

  private mutating func note(_ frame: ReceivedVideoFrame, _ content: VideoPayload, at now: Instant) {
    if let begun = droppedSinceLast {
      let between = lastPicture.flatMap { last in content.pictureID?.distance(after: last) }.map { $0 - 1 }
      statistics.framesDropped += max(begun, between ?? 0)
      droppedSinceLast = nil
    }
    statistics.framesReceived += 1
    if frame.isKeyFrame {
      statistics.keyFramesReceived += 1
      recentPictures.removeAll(keepingCapacity: true)
    }
    statistics.totalAssemblyDelay += now - frame.firstArrival
    noteInterval(at: now)
    lastBaseLayerIndex = content.baseLayerIndex ?? lastBaseLayerIndex
    lastPicture = content.pictureID
    if let picture = content.pictureID {
      if recentPictures.count == 128 { recentPictures.removeFirst() }
      recentPictures.append(picture)
    }
  }

  /// - Specification: W3C webrtc-stats §8.3, `freezeCount`
  private mutating func noteInterval(at now: Instant) {
    defer { lastFrameAt = now }
    guard let lastFrameAt else { return }
    let interval = (now - lastFrameAt).inSeconds
    if statistics.framesReceived > 2, interval > max(3 * meanInterval, meanInterval + 0.15) {
      statistics.freezeCount += 1
      statistics.totalFreezesDuration += now - lastFrameAt
    }
    meanInterval += (interval - meanInterval) / Double(min(statistics.framesReceived, 30))
  }

  // MARK: Gaps

  /// Gives up what stands before a packet and goes on at the first frame that can be decoded without it.
  private mutating func goOn(from number: Int64) {
    gap = nil
    droppedSinceLast = droppedSinceLast ?? 0
    let next = packets.numbers(from: number).first { number in
      packets[number]?.content.map { $0.beginsFrame && isDecodable($0) } == true
    }
    if let next {
      // A key frame waits for the others that are asked for only where nothing else can be decoded.
      needsKeyFrame = needsKeyFrame || packets[next]?.content?.isKeyFrame == true
      drop(before: next)
    } else {
      needsKeyFrame = true
      drop(before: number)
    }
  }

  /// Whether a frame behind a gap builds only on what was handed on.
  ///
  /// - Specification: RFC 7741 §4.2 (TL0PICIDX, Y), RFC 9628 §4.2 (U, P_DIFF)
  private func isDecodable(_ content: VideoPayload) -> Bool {
    if content.isKeyFrame { return true }
    guard !needsKeyFrame else { return false }
    if let distances = content.referenceDistances, let picture = content.pictureID {
      return distances.allSatisfy { recentPictures.contains(picture + -Int($0)) }
    }
    guard let layer = content.temporalLayer, let index = content.baseLayerIndex, let lastBaseLayerIndex else {
      return false
    }
    return layer == 0 ? index == lastBaseLayerIndex &+ 1 : content.isLayerSync && index == lastBaseLayerIndex
  }

  /// There is no room: goes on at the next key frame, one that has come or one that has to be asked for.
  private mutating func overflow(before packet: VideoPacket, size: Int) {
    let current = needsKeyFrame ? keyFrameStarts.first : cursor
    gap = nil
    needsKeyFrame = true
    if let current, let next = keyFrameStarts.first(where: { $0 > current }) {
      drop(before: next)
    } else {
      dropAll()
    }
    if !hasRoom(for: packet, size: size) { dropAll() }
  }

  private func hasRoom(for packet: VideoPacket, size: Int) -> Bool {
    packets.hasRoom(for: packet.number) && packets.count < configuration.packetCapacity
      && byteCount + size <= configuration.byteCapacity
  }

  private mutating func drop(before number: Int64) {
    // Nothing older than the cursor is kept.
    guard number > cursor ?? .min else { return }
    for old in packets.numbers(before: number) { drop(old) }
    cursor = number
    keyFrameStarts.removeAll { $0 < number }
  }

  private mutating func dropAll() {
    for number in packets.numbers { drop(number) }
    keyFrameStarts.removeAll(keepingCapacity: true)
    gap = nil
  }

  private mutating func drop(_ number: Int64) {
    guard var packet = packets.remove(number) else { return }
    if let content = packet.content {
      droppedSinceLast = (droppedSinceLast ?? 0) + (content.beginsFrame ? 1 : 0)
    }
    recycle(&packet.payload)
  }

  private mutating func recycle(_ payload: inout [UInt8]) {
    byteCount -= payload.count
    var storage: [UInt8] = []
    swap(&storage, &payload)
    guard spareStorage.count < 128, storage.capacity > 0 else { return }
    storage.removeAll(keepingCapacity: true)
    spareStorage.append(storage)
  }
}
