import Carillon
import Dispatch
import Synchronization

/// What of a `Call` is controlled.
protocol ControllableCall: Sendable {
  var sid: String { get }
  var contents: [CallContent] { get async }
  var statistics: CallStatistics? { get async }
  func add(_ media: MediaOffer, category: CallContent.Category?) async throws -> [CallContent]
  func remove(_ name: String) async throws
  func mute(_ kind: MediaKind) async throws
  func unmute(_ kind: MediaKind) async throws
  func hold() async throws
  func unhold() async throws
  func sendDTMF(_ digits: String) async throws
  func restartICE() async throws
  func hangUp() async
}

extension Call: ControllableCall {}

/// Carries out what is asked of one running call, and tells what could not be. What could is told by the call's events.
final class CallController: Sendable {
  /// Requests of one lane are carried out one after the other; those of another do not wait for them, since the peer
  /// may take its time over an addition and tones take theirs.
  private enum Lane: CaseIterable {
    case changes, contents, tones, questions

    init(_ action: CallRequest.Action) {
      switch action {
      case .mute, .unmute, .hold, .unhold, .restartICE, .toggleMute, .toggleHold, .toggleCamera: self = .changes
      case .addVideo, .removeVideo: self = .contents
      case .dtmf: self = .tones
      case .statistics, .hangUp, .answer, .decline: self = .questions
      }
    }
  }

  private typealias Queue = (
    requests: AsyncStream<CallRequest.Action>, request: AsyncStream<CallRequest.Action>.Continuation
  )

  private let call: any ControllableCall
  private let console: Console
  /// What every event of the call says.
  private let fields: JSONObject
  private let added: AddedMedia?
  private let state = Mutex(CallState())
  /// Bound: 32 a lane, later ones refused.
  private let lanes: [Lane: Queue]

  init(_ call: any ControllableCall, console: Console, fields: JSONObject = [:], added: AddedMedia? = nil) {
    self.call = call
    self.console = console
    self.fields = fields
    self.added = added
    lanes = Dictionary(
      uniqueKeysWithValues: Lane.allCases.map { lane in
        let (requests, request) = AsyncStream.makeStream(
          of: CallRequest.Action.self, bufferingPolicy: .bufferingOldest(32))
        return (lane, (requests, request))
      })
  }

  var sid: String { call.sid }
  var snapshot: CallState { state.withLock { $0 } }

  func note(_ event: CallEvent) { state.withLock { $0.note(event) } }

  func request(_ action: CallRequest.Action) {
    guard case .dropped? = lanes[Lane(action)]?.request.yield(action) else { return }
    console.refused(
      RequestFailure(code: "busy", "Too much is asked of the call at once.", command: action.command), sid: sid)
  }

  /// Carries out requests until it is cancelled.
  func run() async {
    await withDiscardingTaskGroup { group in
      for (requests, _) in lanes.values {
        group.addTask {
          for await action in requests {
            do { try await self.perform(action) } catch {
              // What was under way when the call ended has its answer in the end.
              if Task.isCancelled { return }
              self.console.refused(RequestFailure(error, command: action.command), sid: self.sid)
            }
          }
        }
      }
    }
  }

  private func perform(_ action: CallRequest.Action) async throws {
    switch action {
    case .mute(let kind): try await setMuted(true, kind)
    case .unmute(let kind): try await setMuted(false, kind)
    case .toggleMute: try await setMuted(!snapshot.mutedHere.contains(.audio), .audio)
    case .toggleCamera:
      guard await sendsVideo else { throw RequestFailure(code: "failed", "This side sends no pictures.") }
      try await setMuted(!snapshot.mutedHere.contains(.video), .video)
    case .hold: try await setHeld(true)
    case .unhold: try await setHeld(false)
    case .toggleHold: try await setHeld(!snapshot.isHeldHere)
    case .addVideo(let source, let size, let category): try await addVideo(source, size, category)
    case .removeVideo(let name): try await call.remove(try await nameOfVideo(name))
    case .dtmf(let digits): try await call.sendDTMF(digits)
    case .restartICE: try await call.restartICE()
    case .statistics: try await tellStatistics()
    case .hangUp: await call.hangUp()
    case .answer, .decline: throw RequestFailure(code: "noCall", "The call is answered already.")
    }
  }

  private var sendsVideo: Bool {
    get async {
      if snapshot.statistics?.outbound(.video) != nil { return true }
      return await call.contents.contains { $0.kind == .video && $0.sends }
    }
  }

  // What is so already is only told again: nothing happens that an event would tell of.

  private func setMuted(_ isMuted: Bool, _ kind: MediaKind) async throws {
    if snapshot.mutedHere.contains(kind) == isMuted {
      return tell(isMuted ? .muted(kind, byPeer: false) : .unmuted(kind, byPeer: false))
    }
    if isMuted { try await call.mute(kind) } else { try await call.unmute(kind) }
    state.withLock { $0.setMuted(isMuted, kind) }
  }

  private func setHeld(_ isHeld: Bool) async throws {
    if snapshot.isHeldHere == isHeld { return tell(isHeld ? .held(byPeer: false) : .unheld(byPeer: false)) }
    if isHeld { try await call.hold() } else { try await call.unhold() }
    state.withLock { $0.setHeld(isHeld) }
  }

  private func tell(_ event: CallEvent) {
    if let line = event.line { console.progress(line) }
    if let object = event.object { console.event(object.name, fields.merging(object.fields)) }
  }

  private func addVideo(
    _ source: VideoArgument, _ size: VideoSize?, _ category: CallContent.Category?
  ) async throws {
    // Opening a file may take as long as its disk likes.
    let video: (any VideoSource)? = try await withCheckedThrowingContinuation { continuation in
      DispatchQueue.global().async { continuation.resume(with: Result { try source.makeSource(size: size) }) }
    }
    var media = MediaOffer(video: video)
    let claim = added?.claimVideoSink()
    media.videoSink = claim
    if claim == nil { media.encodedSink = DiscardingEncodedSink(kinds: [.video]) }
    do {
      for content in try await call.add(media, category: category) { state.withLock { $0.added(content) } }
    } catch {
      if claim != nil { added?.releaseVideoSink() }
      throw error
    }
  }

  /// The video of this name; without one, the one that this side added last or, failing that, the call's last.
  private func nameOfVideo(_ name: String?) async throws -> String {
    let contents = await call.contents
    if let name {
      // Of an unknown one, the call says what is wrong.
      guard let content = contents.first(where: { $0.name == name }) else { return name }
      guard content.kind == .video else { throw RequestFailure(code: "failed", "'\(name)' is no video.") }
      return name
    }
    guard let name = snapshot.addedVideo.last ?? contents.last(where: { $0.kind == .video })?.name else {
      throw RequestFailure(code: "failed", "There is no video in the call.")
    }
    return name
  }

  private func tellStatistics() async throws {
    guard let statistics = await call.statistics else {
      throw RequestFailure(code: "failed", "There are no figures before the call is connected.")
    }
    tell(.statistics(statistics))
    guard !console.isJSON else { return }
    for line in CallSummary(contents: await call.contents, snapshot, statistics).text.split(separator: "\n") {
      console.progress(String(line))
    }
  }
}
