import MediaTime

/// Tells which content a packet belongs to: by MID, then by SSRC, then by a payload type that only one content has.
///
/// - Specification: RFC 9143 §9.2
struct StreamTable: Sendable {
  enum Content: Hashable, Sendable {
    case audio
    case video(Int)
    /// One that is gone.
    case removed
  }

  /// SSRCs learned at most; the oldest makes room.
  private static let learnedCapacity = 32
  /// For how long packets of what was removed may still come.
  private static let patience = Duration.seconds(5)

  private var mids: [(mid: [UInt8], content: Content)] = []
  private var announced: [UInt32: Content] = [:]
  private var learned: [(ssrc: UInt32, content: Content)] = []
  private var removed: [(ssrc: UInt32, until: Instant)] = []
  /// By payload type; nil where none or several contents have it.
  private var payloadTypes: [Content?] = Array(repeating: nil, count: 128)

  /// Takes what is agreed on now in place of what was. What was learned of the streams that go on stays.
  mutating func update(audio: RTPSession.AudioStream?, videos: [(index: Int, video: RTPSession.VideoStream)]) {
    mids = []
    announced = [:]
    payloadTypes = Array(repeating: nil, count: 128)
    var claims: [UInt8: [Content]] = [:]
    if let audio {
      for ssrc in audio.remoteSSRCs { announced[ssrc] = .audio }
      for type in audio.acceptedPayloadTypes.keys { claims[type, default: []].append(.audio) }
      for type in audio.telephoneEvents?.acceptedPayloadTypes.keys.sorted() ?? []
      where audio.acceptedPayloadTypes[type] == nil {
        claims[type, default: []].append(.audio)
      }
      if let mid = audio.mid { mids.append((Array(mid.utf8), .audio)) }
    }
    for (index, video) in videos {
      let content = Content.video(index)
      for ssrc in video.remoteSSRCs { announced[ssrc] = content }
      for ssrc in video.remoteRetransmissionSSRCs.values { announced[ssrc] = content }
      for type in video.acceptedPayloadTypes.keys { claims[type, default: []].append(content) }
      for type in video.acceptedRetransmissions.keys { claims[type, default: []].append(content) }
      if let mid = video.mid { mids.append((Array(mid.utf8), content)) }
    }
    for (type, contents) in claims where contents.count == 1 && type < 128 { payloadTypes[Int(type)] = contents.first }
    removed.removeAll { announced[$0.ssrc] != nil }
  }

  /// Forgets a content but for its sources: what is on its way from them shall not be taken for another content's.
  /// To be followed by `update`.
  mutating func remove(_ content: Content, sources: [UInt32], at now: Instant) {
    let ssrcs = Set(
      announced.filter { $0.value == content }.map(\.key) + learned.filter { $0.content == content }.map(\.ssrc)
        + sources)
    learned.removeAll { $0.content == content }
    removed.removeAll { $0.until <= now || ssrcs.contains($0.ssrc) }
    removed += ssrcs.map { ($0, now + Self.patience) }
    removed.removeFirst(max(0, removed.count - Self.learnedCapacity))
  }

  /// A MID that is not known says nothing: the packet may be of a content whose name is no MID.
  mutating func content(
    of header: RTPHeader, midRange: Range<Int>?, in packet: Span<UInt8>, at now: Instant
  ) -> Content? {
    if let midRange, let content = content(ofMID: packet.extracting(midRange)) {
      if self.content(of: header.ssrc) != content { learn(header.ssrc, content) }
      return content
    }
    if let content = content(of: header.ssrc) { return content }
    if removed.contains(where: { $0.ssrc == header.ssrc && now < $0.until }) { return .removed }
    return payloadTypes[Int(header.payloadType)]
  }

  /// The stream has begun: its packets of other payload types are the content's, too.
  mutating func learn(_ ssrc: UInt32, _ content: Content) {
    learned.removeAll { $0.ssrc == ssrc }
    removed.removeAll { $0.ssrc == ssrc }
    guard announced[ssrc] != content else { return }
    if learned.count == Self.learnedCapacity { learned.removeFirst() }
    learned.append((ssrc, content))
  }

  private func content(of ssrc: UInt32) -> Content? {
    for entry in learned where entry.ssrc == ssrc { return entry.content }
    return announced[ssrc]
  }

  private func content(ofMID mid: Span<UInt8>) -> Content? {
    for entry in mids where entry.mid.count == mid.count {
      if mid.indices.allSatisfy({ entry.mid[$0] == mid[$0] }) { return entry.content }
    }
    return nil
  }
}
