import JingleCore
import MediaCodecs
import MediaTime
import RTPCore

/// Between Jingle's words for media and an RTP session's configuration: the one place where they meet.
enum MediaNegotiation {
  /// What this side can use, best first. VP8 goes before VP9, which takes the processor twice as long for the same picture.
  static func capabilities(_ kind: MediaKind) -> [RTPCapability] {
    switch kind {
    case .audio:
      [
        .opus(
          [RTPParameter("minptime", "10"), RTPParameter("useinbandfec", "1")], feedback: RTPFeedback([.transportCC])),
        // The feedback counts a transport's packets, whatever is in them.
        .g722(feedback: RTPFeedback([.transportCC])),
        .pcmu(feedback: RTPFeedback([.transportCC])),
        .pcma(feedback: RTPFeedback([.transportCC])),
        .telephoneEvent(id: 110, clockrate: 48_000), .telephoneEvent(id: 126, clockrate: 8_000),
      ]
    case .video:
      [
        .vp8(feedback: videoFeedback, retransmits: true),
        .vp9(feedback: videoFeedback, retransmits: true),
      ]
    }
  }

  private static let videoFeedback = RTPFeedback([.nack, .pli, .fir, .remb, .transportCC])

  /// What this side can write and read, under the ids that it offers.
  static func headerExtensions(_ kind: MediaKind) -> [RTPHeaderExtension] {
    typealias URI = RTPHeaderExtension.URI
    let common = [
      RTPHeaderExtension(id: 2, uri: URI.absoluteSendTime), RTPHeaderExtension(id: 3, uri: URI.transportSequenceNumber),
      RTPHeaderExtension(id: 4, uri: URI.mid),
    ]
    return kind == .audio ? [RTPHeaderExtension(id: 1, uri: URI.audioLevel)] + common : common
  }

  /// Who sends, as this side would have it.
  static func senders(_ media: MediaOffer, _ kind: MediaKind, as party: Jingle.Party) -> Jingle.Senders {
    Jingle.Senders(party, sends: media.sends(kind), receives: media.receives(kind))
  }

  /// What a transport carries already: a new content says nothing else by the same numbers.
  struct Numbers: Sendable {
    var payloadTypes: Set<UInt8> = []
    var headerExtensions: [RTPHeaderExtension] = []

    mutating func add(_ description: RTPDescription) {
      payloadTypes.formUnion(description.payloadTypes.map(\.id))
      for used in description.headerExtensions where !headerExtensions.contains(where: { $0.uri == used.uri }) {
        headerExtensions.append(used)
      }
    }
  }

  /// The description to offer. Opus stands under 111, the number that every implementation uses.
  ///
  /// - Parameter taken: what other contents of the same transport use.
  static func offer(_ kind: MediaKind, _ local: ContentStreams, sends: Bool, beside taken: Numbers) -> RTPDescription {
    func describe(from first: UInt8) -> RTPDescription {
      RTPDescription(
        offering: kind.rawValue, capabilities(kind), from: first,
        headerExtensions: headerExtensions(kind, beside: taken),
        allowsMixedHeaderExtensions: true)
    }
    let first: UInt8 = kind == .audio ? 111 : 96
    let candidates = [first] + Array(96...119) + Array(35...50)
    var description = describe(from: first)
    for candidate in candidates {
      description = describe(from: candidate)
      if taken.payloadTypes.isDisjoint(with: description.payloadTypes.map(\.id)) { break }
    }
    if sends { local.describe(kind, in: &description) }
    return description
  }

  /// Under the ids that the transport uses for them, and others that it does not use.
  ///
  /// - Specification: RFC 9143 §9.1.1
  private static func headerExtensions(_ kind: MediaKind, beside taken: Numbers) -> [RTPHeaderExtension] {
    var ids = Set(taken.headerExtensions.map(\.id))
    return headerExtensions(kind).compactMap { wanted in
      var written = wanted
      if let used = taken.headerExtensions.first(where: { $0.uri == wanted.uri }) {
        written.id = used.id
      } else if !ids.insert(wanted.id).inserted {
        guard let free = (1...14).first(where: { !ids.contains($0) }) else { return nil }
        written.id = free
        ids.insert(free)
      }
      return written
    }
  }

  /// - Returns: nil when no codec is in common.
  static func answer(
    _ offer: RTPDescription, _ kind: MediaKind, _ local: ContentStreams, sends: Bool
  ) -> RTPDescription? {
    var answer = offer.answer(
      supporting: capabilities(kind), headerExtensions: headerExtensions(kind), allowingMixedHeaderExtensions: true)
    if sends, var described = answer {
      local.describe(kind, in: &described)
      answer = described
    }
    return answer
  }

  /// What the two sides hold of one content.
  struct Content {
    var name: String
    var kind: MediaKind
    /// Best first.
    var agreements: [RTPAgreement]
    var headerExtensions: [RTPHeaderExtension]
    var senders: Jingle.Senders
    /// The peer's side.
    var remote: RTPDescription
    /// Which of the call's transports carries it.
    var transport: Int
    /// This side's part.
    var media: MediaOffer
    var streams: ContentStreams
  }

  /// What was agreed on, ready to run.
  struct Agreement: Sendable {
    /// For each transport that is spoken of: what its session has beside the streams, if there is none yet.
    var sessions: [Int: RTPSession.Configuration] = [:]
    var tracks: [Track] = []
  }

  /// One content's media.
  struct Track: Sendable {
    enum Stream: Sendable {
      case audio(RTPSession.AudioStream, AudioPipeline.Encoding)
      case video(RTPSession.VideoStream, VideoPipeline.Encoding, BandwidthEstimator.Configuration)
    }

    var content: String
    var transport: Int
    var media: MediaOffer
    /// Payload name and clock rate, such as `opus/48000/2`.
    var codec: String
    var headerExtensions: RTPSession.HeaderExtensions
    var stream: Stream

    var kind: MediaKind {
      switch stream {
      case .audio: .audio
      case .video: .video
      }
    }

    /// Whether the peer takes keys of a telephone's pad.
    var takesKeys: Bool {
      if case .audio(let stream, _) = stream { stream.telephoneEvents?.payloadType != nil } else { false }
    }
  }

  /// - Parameter isOneTransport: whether all of the call's media goes over one transport.
  /// - Returns: nil when a content has no codec of ours.
  static func agreement(
    _ contents: [Content], cname: String, as party: Jingle.Party, isOneTransport: Bool,
    wallClock: RTPSession.WallClock, using random: inout some RandomNumberGenerator
  ) -> Agreement? {
    var agreement = Agreement()
    for content in contents {
      if agreement.sessions[content.transport] == nil {
        agreement.sessions[content.transport] = RTPSession.Configuration(
          cname: cname, wallClock: wallClock, seed: .random(in: 0...UInt64.max, using: &random))
      }
      let sends = content.senders.include(party) && content.media.sends(content.kind)
      let receives = content.senders.include(party.other) && content.media.receives(content.kind)
      let made =
        switch content.kind {
        case .audio: audio(content, sends: sends, receives: receives, &random)
        case .video: video(content, sends: sends, receives: receives, &random)
        }
      guard case (let stream, let codec)? = made else { return nil }
      var track = Track(
        content: content.name, transport: content.transport, media: content.media, codec: codec,
        headerExtensions: .init(), stream: stream)
      track.headerExtensions.add(content.headerExtensions.filter { $0.senders.include(party) })
      if !isOneTransport { track.dropTransportFeedback() }
      agreement.tracks.append(track)
    }
    return agreement
  }

  private static func audio(
    _ content: Content, sends: Bool, receives: Bool, _ random: inout some RandomNumberGenerator
  ) -> (Track.Stream, codec: String)? {
    let known = content.agreements.compactMap { agreement in
      AudioCodec(agreement.receiving).map { (agreement: agreement, codec: $0) }
    }
    // Opus, wherever the peer has put it.
    guard let (best, codec) = known.first(where: { $0.codec == .opus }) ?? known.first else { return nil }
    var accepted: [UInt8: AudioCodec] = [:]
    for (agreement, codec) in known { accepted[agreement.receiving.id] = codec }
    var stream = RTPSession.AudioStream(
      localSSRC: content.streams.ssrc, remoteSSRCs: content.remote.mediaSSRCs, mid: content.mid,
      payloadType: best.sending.id, acceptedPayloadTypes: accepted, clockRate: codec.clockRate,
      usesTransportFeedback: best.feedback.contains(.transportCC), sends: sends,
      receives: receives, initialSequenceNumber: .random(using: &random), initialTimestamp: .random(using: &random))
    stream.telephoneEvents = TelephoneEvents(content.agreements, clockRate: codec.clockRate).map {
      .init(payloadType: $0.sending, acceptedPayloadTypes: $0.receiving)
    }
    let limit = best.sending.parameter("maxaveragebitrate").flatMap { Int($0) }.map { min(max($0, 6_000), 510_000) }
    let isOpus = codec == .opus
    let encoding = AudioPipeline.Encoding(
      codec: codec, sends: sends, receives: receives,
      stereo: isOpus && best.sending.parameter("stereo") == "1" && content.media.audio?.channelCount == 2,
      bitsPerSecond: isOpus ? min(max(content.media.audioBitsPerSecond, 6_000), limit ?? 510_000) : 64_000,
      packetDuration: packetDuration(best.sending))
    return (.audio(stream, encoding), codec.encodingName)
  }

  /// What the peer wants in a packet, in steps of 10 ms.
  ///
  /// - Specification: RFC 3551 §4.2 (20 ms unless said otherwise)
  static func packetDuration(_ payloadType: RTPPayloadType) -> Duration {
    let wanted = min(payloadType.ptime ?? 20, payloadType.maxptime ?? .max)
    return .milliseconds(min(max(wanted / 10 * 10, 10), 60))
  }

  private static func video(
    _ content: Content, sends: Bool, receives: Bool, _ random: inout some RandomNumberGenerator
  ) -> (Track.Stream, codec: String)? {
    let known = content.agreements.compactMap { agreement in
      VideoCodec(payloadType: agreement.sending).map { (agreement, $0) }
    }
    guard let (best, codec) = known.first else { return nil }
    let (lower, upper) = (VPXEncoder.bitrates.lowerBound, VPXEncoder.bitrates.upperBound)
    let wanted = min(content.media.maximumVideoBitsPerSecond, content.remote.bandwidth?.bitsPerSecond ?? .max)
    let maximum = min(max(wanted, lower), upper)
    // The estimate is of the whole path; the audio has its part in it.
    let bandwidth = BandwidthEstimator.Configuration(
      initialBitsPerSecond: min(500_000, maximum), minimumBitsPerSecond: lower, maximumBitsPerSecond: maximum + 64_000)
    var stream = RTPSession.VideoStream(
      localSSRC: content.streams.ssrc, remoteSSRCs: content.remote.mediaSSRCs, mid: content.mid,
      payloadType: best.sending.id, format: codec.payloadFormat, acceptedPayloadTypes: [:],
      feedback: .init(best.feedback), sends: sends, receives: receives, initialSequenceNumber: .random(using: &random),
      initialTimestamp: .random(using: &random))
    for ssrc in stream.remoteSSRCs {
      stream.remoteRetransmissionSSRCs[ssrc] = content.remote.retransmissionSSRC(of: ssrc)
    }
    for (agreement, codec) in known {
      stream.acceptedPayloadTypes[agreement.receiving.id] = codec.payloadFormat
      if let repeats = agreement.retransmission?.receiving {
        stream.acceptedRetransmissions[repeats] = agreement.receiving.id
      }
    }
    stream.retransmission = best.retransmission.map {
      .init(localSSRC: content.streams.repeats, payloadType: $0.sending, initialSequenceNumber: .random(using: &random))
    }
    let encoding = VideoPipeline.Encoding(
      codec: codec, sends: sends, receives: receives, maximumBitsPerSecond: maximum,
      maximumFramesPerSecond: best.sending.parameter("max-fr").flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil },
      // In macroblocks (RFC 7741 §6.1, RFC 9628 §6).
      maximumPixels: best.sending.parameter("max-fs").flatMap { Int($0) }.flatMap {
        $0 > 0 && $0 < 1 << 24 ? $0 * 256 : nil
      })
    return (.video(stream, encoding, bandwidth), "\(codec.rawValue)/90000")
  }
}

/// The streams that this side may send in a call, named before anything is agreed on.
///
/// - Specification: XEP-0339 §2, RFC 7022
struct LocalStreams: Sendable {
  let cname: String
  private var ssrcs: Set<UInt32> = []

  init(using random: inout some RandomNumberGenerator) {
    cname = String(UInt64.random(in: 0...UInt64.max, using: &random), radix: 36)
  }

  /// The streams of one content more.
  ///
  /// - Parameter isApart: whether the peer need not play it in sync with the others: a shared screen beside a camera.
  mutating func make(isApart: Bool = false, using random: inout some RandomNumberGenerator) -> ContentStreams {
    func draw() -> UInt32 {
      var ssrc: UInt32
      repeat { ssrc = .random(in: 1...UInt32.max, using: &random) } while !ssrcs.insert(ssrc).inserted
      return ssrc
    }
    let (ssrc, repeats) = (draw(), draw())
    return ContentStreams(cname: cname, stream: isApart ? "\(cname)-\(ssrc)" : cname, ssrc: ssrc, repeats: repeats)
  }
}

/// The streams that this side may send in one content.
struct ContentStreams: Sendable {
  let cname: String
  /// Contents of one name are played in sync.
  let stream: String
  let ssrc: UInt32
  /// What is sent again of pictures.
  let repeats: UInt32

  func describe(_ kind: MediaKind, in description: inout RTPDescription) {
    func source(_ ssrc: UInt32) -> RTPSource {
      RTPSource(ssrc: ssrc, cname: cname, stream: stream, track: "\(stream)-\(kind.rawValue)")
    }
    description.sources = [source(ssrc)]
    if description.payloadTypes.contains(where: \.isRetransmission) {
      description.sources.append(source(repeats))
      description.sourceGroups = [RTPSourceGroup(.flowIdentification, [ssrc, repeats])]
    }
  }
}

extension MediaNegotiation.Content {
  /// The content's name, where it can stand in packets (RFC 9143 §15.2).
  fileprivate var mid: String? { name.utf8.count <= 16 ? name : nil }
}

extension RTPDescription {
  var kind: MediaKind? { MediaKind(rawValue: media) }

  /// The streams of media among the sources: not those that repeat or repair others.
  fileprivate var mediaSSRCs: [UInt32] {
    let others = sourceGroups.filter { $0.semantics != .simulcast }.flatMap { $0.ssrcs.dropFirst() }
    return sources.map(\.ssrc).filter { !others.contains($0) }
  }
}

extension RTPSession.HeaderExtensions {
  fileprivate mutating func add(_ agreed: [RTPHeaderExtension]) {
    for headerExtension in agreed {
      guard let id = UInt8(exactly: headerExtension.id) else { continue }
      switch headerExtension.uri {
      case RTPHeaderExtension.URI.audioLevel: audioLevel = id
      case RTPHeaderExtension.URI.absoluteSendTime: absoluteSendTime = id
      case RTPHeaderExtension.URI.transportSequenceNumber: transportSequenceNumber = id
      case RTPHeaderExtension.URI.mid: mid = id
      default: break
      }
    }
  }

  /// With what another content of the same transport brings.
  func merging(_ other: Self) -> Self {
    RTPSession.HeaderExtensions(
      audioLevel: audioLevel ?? other.audioLevel, absoluteSendTime: absoluteSendTime ?? other.absoluteSendTime,
      transportSequenceNumber: transportSequenceNumber ?? other.transportSequenceNumber, mid: mid ?? other.mid)
  }
}

extension RTPDescription {
  /// Leaves out what tells of the packets of a whole transport.
  ///
  /// Where a call has several transports, libwebrtc still counts the packets of all in one row and reports on them over
  /// any: what it says could not be understood, and what it hears neither. REMB speaks of one stream.
  mutating func dropTransportFeedback() {
    let dropped = RTPFeedback([.transportCC])
    feedback = feedback.subtracting(dropped)
    for index in payloadTypes.indices {
      payloadTypes[index].feedback = payloadTypes[index].feedback.subtracting(dropped)
    }
    headerExtensions.removeAll { $0.uri == RTPHeaderExtension.URI.transportSequenceNumber }
  }
}

extension MediaNegotiation.Track {
  /// As for descriptions: an offer may have had to promise it, in case of a bundle.
  fileprivate mutating func dropTransportFeedback() {
    headerExtensions.transportSequenceNumber = nil
    switch stream {
    case .audio(var audio, let encoding):
      audio.usesTransportFeedback = false
      stream = .audio(audio, encoding)
    case .video(var video, let encoding, let bandwidth):
      video.feedback.transport = false
      stream = .video(video, encoding, bandwidth)
    }
  }
}

extension RTPSession.VideoStream.Feedback {
  fileprivate init(_ feedback: RTPFeedback) {
    self.init(
      nack: feedback.contains(.nack), pictureLoss: feedback.contains(.pli),
      fullIntraRequest: feedback.contains(.fir), bitrateLimit: feedback.contains(.remb),
      transport: feedback.contains(.transportCC))
  }
}

extension VideoCodec {
  fileprivate init?(payloadType: RTPPayloadType) {
    guard let name = payloadType.name?.uppercased() else { return nil }
    self.init(rawValue: name)
  }

  fileprivate var payloadFormat: VideoPayloadFormat {
    switch self {
    case .vp8: .vp8
    case .vp9: .vp9
    }
  }
}

extension SequenceNumber {
  /// Low, so that it does not wrap within the first packets (RFC 3711 §3.3.1).
  fileprivate static func random(using generator: inout some RandomNumberGenerator) -> SequenceNumber {
    SequenceNumber(rawValue: .random(in: 0...0x7FFF, using: &generator))
  }
}

extension RTPTimestamp {
  fileprivate static func random(using generator: inout some RandomNumberGenerator) -> RTPTimestamp {
    RTPTimestamp(rawValue: .random(in: 0...UInt32.max, using: &generator))
  }
}
