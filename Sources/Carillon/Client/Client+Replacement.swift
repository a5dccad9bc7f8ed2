import Foundation
import JingleCore
import MediaEngine
import MediaTime

// Transports in another's place: ICE and DTLS begin anew beside the old ones, and take the media over when they stand.
extension Client {
  /// - Specification: XEP-0166 §7.2.12–§7.2.15
  func replaceTransports(_ id: UUID) throws {
    let call = try connectedCall(id)
    for (index, transport) in call.transports.sorted(by: { $0.key < $1.key }) where transport.connection != nil {
      guard let owner = transport.owner, !call.replacements.values.contains(where: { $0.old == index }) else {
        continue
      }
      begin(ActiveCall.Replacement(content: owner, old: index), of: call)
    }
    rearm()
  }

  /// The peer wants another transport. In a bundle it would take one content out of it: that is not taken.
  func replacedByPeer(_ transport: Jingle.Transport, _ name: String, of call: ActiveCall) {
    guard let remote = transport.iceUDP, remote.credentials != nil, remote.fingerprint != nil,
      let content = call.contents.first(where: { $0.name == name }),
      call.transports[content.transport]?.connection != nil,
      call.contents.count(where: { $0.transport == content.transport }) == 1,
      !call.replacements.values.contains(where: { $0.old == content.transport })
    else {
      call.session?.rejectTransport(for: name, Jingle.Reason(.unsupportedTransports))
      return pump(call)
    }
    begin(ActiveCall.Replacement(content: name, old: content.transport, remote: remote), of: call)
  }

  private func begin(_ replacement: ActiveCall.Replacement, of call: ActiveCall) {
    let index = call.nextTransport
    call.replacements[index] = replacement
    open(index, of: call, multiplexesRTCP: call.transports[replacement.old]?.multiplexesRTCP ?? true)
    call.transports[index]?.owner = replacement.content
    call.deadlines[.connectTransport(index)] = SystemClock.now + configuration.connectTimeout
  }

  /// Offers, and answers with, what waited for its sockets.
  func advanceReplacements(of call: ActiveCall) {
    for (index, replacement) in call.replacements where !replacement.isSent && call.transports[index]?.local != nil {
      call.replacements[index]?.isSent = true
      if let remote = replacement.remote {
        guard let fingerprint = remote.fingerprint,
          case (let role, let setup)? = try? DTLSRole.answering(fingerprint.setup)
        else {
          abandon(index, of: call)
          continue
        }
        let local = transport(index, setup: setup, of: call)
        call.session?.acceptTransport(.iceUDP(local), for: replacement.content)
        connect(index, to: remote, as: role, of: call)
        addReplacementCandidates(remote, index, of: call)
      } else {
        call.session?.replaceTransport(
          .iceUDP(transport(index, setup: .actpass, of: call)), for: replacement.content)
      }
    }
    pump(call)
  }

  /// The peer takes our transport, and this is its end.
  func replacementAccepted(_ transport: Jingle.Transport, _ name: String, of call: ActiveCall) {
    guard let index = call.replacements.first(where: { $0.value.content == name })?.key,
      let remote = transport.iceUDP, let fingerprint = remote.fingerprint, remote.credentials != nil,
      let role = try? DTLSRole(offered: .actpass, answered: fingerprint.setup)
    else { return replacementRejected(name, of: call) }
    call.replacements[index]?.remote = remote
    connect(index, to: remote, as: role, of: call)
    addReplacementCandidates(remote, index, of: call)
  }

  /// The old transport holds.
  func replacementRejected(_ name: String, of call: ActiveCall) {
    guard let index = call.replacements.first(where: { $0.value.content == name })?.key else { return }
    abandon(index, of: call)
    call.tell(.warning(CallError(.connectivity, "\(call.peer) does not take another transport; the old one stays.")))
  }

  /// - Returns: whether the candidates are those of a transport that is to take another's place.
  func addToReplacement(_ transport: ICETransport, _ name: String, of call: ActiveCall) -> Bool {
    guard let index = call.replacements.first(where: { $0.value.content == name && $0.value.remote != nil })?.key,
      transport.ufrag == nil || transport.ufrag == call.transports[index]?.remoteUfrag
    else { return false }
    addReplacementCandidates(transport, index, of: call)
    return true
  }

  private func addReplacementCandidates(_ transport: ICETransport, _ index: Int, of call: ActiveCall) {
    let candidates = transport.candidates.compactMap(MediaEngine.ICECandidate.init)
    if !candidates.isEmpty { call.command.yield(.transport(index, .addRemote(candidates))) }
  }

  /// The new transport stands: media goes over it from now on.
  ///
  /// - Returns: false when the transport is not to take another's place.
  func replacementConnected(_ index: Int, of call: ActiveCall) -> Bool {
    guard let replacement = call.replacements.removeValue(forKey: index) else { return false }
    call.command.yield(.move(from: replacement.old, to: index))
    for position in call.contents.indices where call.contents[position].transport == replacement.old {
      call.contents[position].transport = index
    }
    let numbers = call.transports[replacement.old]?.numbers
    call.transports[index]?.numbers = numbers ?? .init()
    close(replacement.old, of: call)
    if let path = call.transports[index]?.connection?.path { call.tell(.pathChanged(MediaPath(path))) }
    return true
  }

  /// A transport that was to take another's place comes to nothing.
  ///
  /// - Returns: false when it was not.
  @discardableResult
  func abandon(_ index: Int, of call: ActiveCall) -> Bool {
    guard let replacement = call.replacements.removeValue(forKey: index) else { return false }
    if replacement.remote != nil { call.session?.rejectTransport(for: replacement.content) }
    close(index, of: call)
    return true
  }
}
