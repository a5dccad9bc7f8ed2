/// Tells which content a packet belongs to: by MID, then by SSRC, then by a payload type that only one content has.
///
/// - Specification: RFC 9143 §9.2
struct StreamTable: Sendable {
  enum Content: Hashable, Sendable {
    case audio
    case video(Int)
  }

  /// SSRCs learned at most; the oldest makes room.
  private static let learnedCapacity = 32

  private var mids: [(mid: [UInt8], content: Content)] = []
  private var announced: [UInt32: Content] = [:]
  private var learned: [(ssrc: UInt32, content: Content)] = []
  /// By payload type; nil where none or several contents have it.
  private var payloadTypes: [Content?] = Array(repeating: nil, count: 128)

  init(_ configuration: RTPSession.Configuration) {
    var claims: [UInt8: [Content]] = [:]
    if let audio = configuration.audio {
      for ssrc in audio.remoteSSRCs { announced[ssrc] = .audio }
      for type in audio.acceptedPayloadTypes.keys { claims[type, default: []].append(.audio) }
      if let mid = audio.mid { mids.append((Array(mid.utf8), .audio)) }
    }
    for (index, video) in configuration.video.enumerated() {
      let content = Content.video(index)
      for ssrc in video.remoteSSRCs { announced[ssrc] = content }
      for ssrc in video.remoteRetransmissionSSRCs.values { announced[ssrc] = content }
      for type in video.acceptedPayloadTypes.keys { claims[type, default: []].append(content) }
      for type in video.acceptedRetransmissions.keys { claims[type, default: []].append(content) }
      if let mid = video.mid { mids.append((Array(mid.utf8), content)) }
    }
    for (type, contents) in claims where contents.count == 1 && type < 128 { payloadTypes[Int(type)] = contents.first }
  }

  /// A MID that is not known says nothing: the packet may be of a content whose name is no MID.
  mutating func content(of header: RTPHeader, midRange: Range<Int>?, in packet: Span<UInt8>) -> Content? {
    if let midRange, let content = content(ofMID: packet.extracting(midRange)) {
      if self.content(of: header.ssrc) != content { learn(header.ssrc, content) }
      return content
    }
    return content(of: header.ssrc) ?? payloadTypes[Int(header.payloadType)]
  }

  /// The stream has begun: its packets of other payload types are the content's, too.
  mutating func learn(_ ssrc: UInt32, _ content: Content) {
    learned.removeAll { $0.ssrc == ssrc }
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
