import Carillon

/// What is known of a call from its events: what keys toggle, and what the live line and the summary tell.
struct CallState: Sendable {
  private(set) var report: ConnectionReport?
  private(set) var path: MediaPath?
  private(set) var statistics: CallStatistics?
  private(set) var mutedHere: Set<MediaKind> = []
  private(set) var mutedThere: Set<MediaKind> = []
  private(set) var isHeldHere = false
  private(set) var isHeldThere = false
  private(set) var missing: Set<MediaKind> = []
  private(set) var isSignallingLost = false
  /// Names of the pictures that this side added, in their order.
  private(set) var addedVideo: [String] = []
  private(set) var holdCount = 0
  private(set) var restartCount = 0
  /// The call's age when the restart under way began.
  private var restartingSince: Duration?

  /// After that long nobody looks for a new path any more, whatever was or was not told of it.
  private static let restartPatience = Duration.seconds(30)

  var isRestarting: Bool { restartingSince != nil }

  mutating func note(_ event: CallEvent) {
    switch event {
    case .connected(let report):
      self.report = report
      path = report.path
    case .statistics(let statistics):
      self.statistics = statistics
      if let began = restartingSince, statistics.duration - began > Self.restartPatience { restartingSince = nil }
    case .added(let content, byPeer: false) where content.kind == .video: added(content)
    case .removed(let content, _): addedVideo.removeAll { $0 == content.name }
    case .muted(let kind, let byPeer): setMuted(true, kind, byPeer: byPeer)
    case .unmuted(let kind, let byPeer): setMuted(false, kind, byPeer: byPeer)
    case .held(let byPeer):
      holdCount += 1
      setHeld(true, byPeer: byPeer)
    case .unheld(let byPeer): setHeld(false, byPeer: byPeer)
    case .restartingICE:
      restartCount += 1
      restartingSince = statistics?.duration ?? .zero
    case .pathChanged(let path):
      self.path = path
      restartingSince = nil
    case .mediaMissing(let kind, _): missing.insert(kind)
    case .mediaFound(let kind): missing.remove(kind)
    case .signallingLost: isSignallingLost = true
    case .signallingRestored: isSignallingLost = false
    case .proposed, .ringing, .proceeding, .connecting, .added, .refused, .modified, .dtmf, .warning, .ended: break
    }
  }

  mutating func setMuted(_ isMuted: Bool, _ kind: MediaKind, byPeer: Bool = false) {
    let side = byPeer ? \CallState.mutedThere : \.mutedHere
    if isMuted { self[keyPath: side].insert(kind) } else { self[keyPath: side].remove(kind) }
  }

  mutating func setHeld(_ isHeld: Bool, byPeer: Bool = false) {
    if byPeer { isHeldThere = isHeld } else { isHeldHere = isHeld }
  }

  mutating func added(_ content: CallContent) {
    if !addedVideo.contains(content.name) { addedVideo.append(content.name) }
  }

  /// What is not as usual, for the live line.
  var flags: [String] {
    var flags: [String] = []
    if isHeldHere { flags.append("on hold") }
    if isHeldThere { flags.append("held by the peer") }
    if mutedHere.contains(.audio) { flags.append("muted") }
    if mutedHere.contains(.video) { flags.append("camera off") }
    if mutedThere.contains(.audio) { flags.append("peer muted") }
    if mutedThere.contains(.video) { flags.append("peer's camera off") }
    if isRestarting { flags.append("new path") }
    if isSignallingLost { flags.append("no server") }
    for kind in MediaKind.allCases where missing.contains(kind) { flags.append("no \(kind)") }
    return flags
  }
}
