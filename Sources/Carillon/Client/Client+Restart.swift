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
      call.transports[index]?.restartsItself = true
      call.command.yield(.transport(index, .restart(nil)))
    }
    call.tell(.restartingICE(byPeer: false))
  }

  func restartedByPeer(_ call: ActiveCall, _ transport: ICETransport, _ content: String) {
    guard let index = transportIndex(of: content, call), let credentials = transport.credentials,
      // A bundle's other contents may tell the same.
      call.transports[index]?.remoteUfrag != credentials.ufrag
    else { return }
    call.transports[index]?.remoteUfrag = credentials.ufrag
    call.transports[index]?.restartsItself = false
    call.command.yield(.transport(index, .restart(credentials)))
    addRemote(transport, for: content, of: call)
    call.tell(.restartingICE(byPeer: true))
  }

  /// The peer's new credentials for the path that this side looks for.
  func answeredRestart(_ call: ActiveCall, _ transport: ICETransport, _ content: String) {
    guard let index = transportIndex(of: content, call), let credentials = transport.credentials else { return }
    call.transports[index]?.remoteUfrag = credentials.ufrag
    call.command.yield(.transport(index, .setRemote(credentials)))
    addRemote(transport, for: content, of: call)
  }

  private func transportIndex(of content: String, _ call: ActiveCall) -> Int? {
    call.transportIndex(ownedBy: content) ?? call.contents.first { $0.name == content }?.transport
  }
}

extension Client {
  func pathChanged(_ call: ActiveCall, _ index: Int, _ path: MediaEngine.MediaPath) {
    call.transports[index]?.connection?.path = path
    call.tell(.pathChanged(MediaPath(path)))
  }
}
