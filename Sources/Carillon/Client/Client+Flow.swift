import Foundation
import JingleCore
import MediaEngine
import MediaTime
import RTPCore

// Holding, muting, and what does not come.
extension Client {
  func setMuted(_ muted: Bool, _ kind: MediaKind, _ id: UUID) throws {
    let call = try connectedCall(id)
    guard call.contents.contains(where: { $0.kind == kind }) else {
      throw CallError(.failed, "There is no \(kind.rawValue) in the call.")
    }
    guard call.muted.contains(kind) != muted else { return }
    if muted { call.muted.insert(kind) } else { call.muted.remove(kind) }
    for content in call.contents where content.kind == kind {
      call.session?.sendInfo(
        muted
          ? RTPInfo.mute(creator: content.creator, name: content.name)
          : .unmute(creator: content.creator, name: content.name))
    }
    updateFlow(of: call)
    call.tell(muted ? .muted(kind, byPeer: false) : .unmuted(kind, byPeer: false))
    pump(call)
    rearm()
  }

  /// - Specification: XEP-0167 §7
  func setHeld(_ held: Bool, _ id: UUID) throws {
    let call = try connectedCall(id)
    guard call.isHeld != held else { return }
    call.isHeld = held
    call.session?.sendInfo(held ? RTPInfo.hold : .unhold)
    updateFlow(of: call)
    call.tell(held ? .held(byPeer: false) : .unheld(byPeer: false))
    pump(call)
    rearm()
  }

  func received(_ info: RTPInfo, of call: ActiveCall) {
    switch info {
    case .ringing:
      guard call.isOutgoing, call.ringingAt == nil else { return }
      call.ringingAt = SystemClock.now
      call.tell(.ringing(device: call.peer))
    case .hold: heldByPeer(true, call)
    case .unhold: heldByPeer(false, call)
    case .active:
      heldByPeer(false, call)
      mutedByPeer(false, nil, call)
    case .mute(_, let name): mutedByPeer(true, name, call)
    case .unmute(_, let name): mutedByPeer(false, name, call)
    }
  }

  private func heldByPeer(_ held: Bool, _ call: ActiveCall) {
    guard call.isHeldByPeer != held else { return }
    call.isHeldByPeer = held
    updateFlow(of: call)
    call.tell(held ? .held(byPeer: true) : .unheld(byPeer: true))
  }

  /// - Parameter name: a content's; nil for all.
  private func mutedByPeer(_ muted: Bool, _ name: String?, _ call: ActiveCall) {
    let meant = call.contents.filter { name == nil || $0.name == name }
    let before = Set(call.contents.filter { call.mutedByPeer.contains($0.name) }.map(\.kind))
    for content in meant {
      if muted { call.mutedByPeer.insert(content.name) } else { call.mutedByPeer.remove(content.name) }
    }
    let now = Set(call.contents.filter { call.mutedByPeer.contains($0.name) }.map(\.kind))
    for kind in now.subtracting(before) { call.tell(.muted(kind, byPeer: true)) }
    for kind in before.subtracting(now) { call.tell(.unmuted(kind, byPeer: true)) }
  }

  /// Tells the media what flows which way, where that has changed.
  func updateFlow(of call: ActiveCall) {
    for index in call.contents.indices {
      let flow = call.flow(of: call.contents[index])
      guard flow != call.contents[index].flow else { continue }
      call.contents[index].flow = flow
      call.command.yield(.flow(content: call.contents[index].name, flow))
    }
  }

  // MARK: Keys

  /// - Specification: RFC 4733
  func sendDTMF(_ digits: String, _ id: UUID) async throws {
    let (duration, pause) = (Duration.milliseconds(100), Duration.milliseconds(60))
    guard !digits.isEmpty, digits.count <= 64, digits.allSatisfy({ $0 == "," || TelephoneEvent($0) != nil }) else {
      throw CallError(
        .configuration, "'\(digits.prefix(64))' are not keys of a telephone: 0 to 9, *, #, A to D, at most 64.")
    }
    for digit in digits {
      let call = try connectedCall(id)
      guard let content = call.contents.first(where: { $0.kind == .audio }), content.takesKeys else {
        throw CallError(.nothingInCommon, "\(call.peer) takes no keys of a telephone (telephone-event, RFC 4733).")
      }
      guard content.flow?.sends == true else {
        throw CallError(.failed, "Keys cannot be sent while the call is on hold, or sends no sound.")
      }
      if let event = TelephoneEvent(digit) {
        call.command.yield(.press(event, duration, content: content.name))
        call.tell(.dtmf(event.key, duration: duration, byPeer: false))
      }
      try await Task.sleep(for: digit == "," ? .seconds(1) : duration + pause)
    }
  }

  // MARK: Nothing comes

  func watch(_ call: ActiveCall, _ observations: [String: MediaObservation]) {
    let now = SystemClock.now
    for index in call.contents.indices {
      let content = call.contents[index]
      guard let observation = observations[content.name], call.view(of: content).receives else {
        call.contents[index].watch.pause()
        continue
      }
      let excuse: MediaAbsence? =
        call.isHeld || call.isHeldByPeer ? .onHold : call.mutedByPeer.contains(content.name) ? .muted : nil
      switch call.contents[index].watch.observe(observation, excuse: excuse, at: now) {
      case .missing(let cause): call.tell(.mediaMissing(content.kind, cause))
      case .found: call.tell(.mediaFound(content.kind))
      case nil: break
      }
    }
  }
}
