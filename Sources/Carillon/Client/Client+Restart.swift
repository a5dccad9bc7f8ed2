import Foundation
import JingleCore
import MediaEngine
import MediaTime

// New paths for running calls.
extension Client {
  func restartICE(_ id: UUID) throws {
    let call = try connectedCall(id)
    restartICE(of: call)
    rearm()
  }

  /// Looks for new paths while the old ones carry on.
  ///
  /// - Specification: XEP-0176 §5.9, RFC 8445 §9
  func restartICE(of call: ActiveCall) {
    for index in call.transports.keys.sorted() where call.transports[index]?.connection != nil {
      // One at a time: the peer's credentials do not say which restart they answer.
      if awaitsCredentials(call, index) { call.transports[index]?.restartsAgain = true } else { restart(call, index) }
    }
    call.tell(.restartingICE(byPeer: false))
  }

  /// How long the peer may take to give its credentials.
  private static let restartPatience = Duration.seconds(30)

  private func awaitsCredentials(_ call: ActiveCall, _ index: Int) -> Bool {
    guard let begun = call.transports[index]?.restartedAt else { return false }
    return SystemClock.now - begun < Client.restartPatience
  }

  private func restart(_ call: ActiveCall, _ index: Int) {
    call.transports[index]?.restartsItself = true
    call.transports[index]?.restartsAgain = false
    call.transports[index]?.restartedAt = SystemClock.now
    call.command.yield(.transport(index, .restart(nil)))
  }

  /// The peer's credentials for the path that this side looks for.
  private func take(_ credentials: ICECredentials, _ call: ActiveCall, _ index: Int) {
    call.transports[index]?.remoteUfrag = credentials.ufrag
    call.transports[index]?.restartedAt = nil
    call.command.yield(.transport(index, .setRemote(credentials)))
  }

  private func restartAgainIfWanted(_ call: ActiveCall, _ index: Int) {
    if call.transports[index]?.restartsAgain == true { restart(call, index) }
  }

  /// The machine's addresses or its way into the network have changed.
  func addressesChanged() {
    networkChanged()
    for call in calls.values where call.phase == .connected { restartICE(of: call) }
    rearm()
  }

  /// Looks for a new path, with new credentials, before those of the relay in use expire: it would go with them.
  ///
  /// - Specification: XEP-0215 §3.3 (`expires`), RFC 8656 §7
  func keepRelay(_ call: ActiveCall) {
    call.deadlines[.renewRelay] = nil
    let isRelayed = call.transports.values.contains { $0.connection?.path.relay != nil }
    guard isRelayed, let expires = services?.list.compactMap(\.expires).min() else { return }
    let left = expires - Duration.seconds(Int64(Date.now.timeIntervalSince1970))
    call.deadlines[.renewRelay] = SystemClock.now + max(left - .seconds(60), left / 2, .seconds(30))
  }

  /// How many restarts of the peer's in a minute are answered: each costs sockets, and allocations at TURN servers.
  private static let maximumRestarts = 6

  func restartedByPeer(_ call: ActiveCall, _ transport: ICETransport, _ content: String) {
    guard let index = transportIndex(of: content, call), let credentials = transport.credentials,
      // A bundle's other contents may tell the same.
      call.transports[index]?.remoteUfrag != credentials.ufrag
    else { return }
    if awaitsCredentials(call, index) {
      // A restart of this side's that the peer does not know of yet serves both.
      call.transports[index]?.restartsItself = false
      take(credentials, call, index)
    } else {
      let now = SystemClock.now
      call.restartsByPeer.removeAll { now - $0 > .seconds(60) }
      guard call.restartsByPeer.count < Client.maximumRestarts else { return }
      call.restartsByPeer.append(now)
      call.transports[index]?.remoteUfrag = credentials.ufrag
      call.transports[index]?.restartsItself = false
      call.command.yield(.transport(index, .restart(credentials)))
    }
    addRemote(transport, for: content, of: call)
    call.tell(.restartingICE(byPeer: true))
    restartAgainIfWanted(call, index)
  }

  /// The peer's new credentials for the path that this side looks for.
  func answeredRestart(_ call: ActiveCall, _ transport: ICETransport, _ content: String) {
    guard let index = transportIndex(of: content, call), let credentials = transport.credentials else { return }
    take(credentials, call, index)
    addRemote(transport, for: content, of: call)
    restartAgainIfWanted(call, index)
  }

  private func transportIndex(of content: String, _ call: ActiveCall) -> Int? {
    call.transportIndex(ownedBy: content) ?? call.contents.first { $0.name == content }?.transport
  }
}

extension Client {
  func pathChanged(_ call: ActiveCall, _ index: Int, _ path: MediaEngine.MediaPath) {
    call.transports[index]?.connection?.path = path
    keepRelay(call)
    call.tell(.pathChanged(MediaPath(path)))
  }
}
