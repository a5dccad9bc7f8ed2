import Foundation
import JingleCore
import MediaTime
import XMPPCore

// Invitations to calls elsewhere (XEP-0482): understood and told, never followed by themselves.
extension Client {
  /// Invitations that may still be taken back; the oldest are forgotten.
  private static let maximumInvitations = 32

  /// - Returns: whether the message is about an invitation.
  func receiveInvitation(_ message: Message, own: JID) -> Bool {
    guard let invite = CallInvite(in: message), let sender = message.from else { return false }
    if sender.bare == own.bare {
      if sender != own { answeredElsewhere(invite) }
    } else if case .invite(let audio, let video, let methods) = invite.action {
      receive(invite.id, audio: audio, video: video, methods, from: sender, message.delay(by: [own.bare, own.domain]))
    } else if invite.action == .retract {
      // In a room everybody has the room's address: only the very inviter counts.
      settle(invite.id, .retracted) { message.type == .groupchat ? $0 == sender : $0.bare == sender.bare }
    }
    return true
  }

  private func receive(
    _ id: String, audio: Bool, video: Bool, _ methods: [CallInvite.Method], from inviter: JID, _ delay: Delay?
  ) {
    let isOld = delay.map { .seconds(Date.now.timeIntervalSince1970) - $0.stamp > ProposalLedger.maximumAge } ?? false
    guard handlers.onInvitation != nil, !isOld, isWelcome(inviter),
      !invitations.contains(where: { $0.id == id && $0.inviter == inviter })
    else { return }
    var invitation = CallInvitation(inviter: inviter, id: id, media: [], meetings: [])
    if audio { invitation.media.insert(.audio) }
    if video { invitation.media.insert(.video) }
    invitation.meetings = methods.compactMap { method in
      switch method {
      case .jingle(let sid, let jid): .jingle(sid: sid, device: jid ?? inviter)
      case .external(let uri): .uri(uri)
      case .muji(let room): .room(room)
      case .other: nil
      }
    }
    guard admits(inviter) else { return }
    if invitations.count == Self.maximumInvitations { invitations.removeFirst() }
    invitations.append(invitation)
    tell(invitation)
  }

  /// Another device of this account said something to an inviter.
  private func answeredElsewhere(_ invite: CallInvite) {
    switch invite.action {
    case .accept: settle(invite.id, .acceptedElsewhere) { _ in true }
    case .reject: settle(invite.id, .declinedElsewhere) { _ in true }
    case .invite, .retract, .left: break
    }
  }

  private func settle(_ id: String, _ state: CallInvitation.State, _ isOf: (JID) -> Bool) {
    guard let index = invitations.firstIndex(where: { $0.id == id && isOf($0.inviter) }) else { return }
    var invitation = invitations.remove(at: index)
    invitation.state = state
    tell(invitation)
  }

  private func tell(_ invitation: CallInvitation) {
    if let onInvitation = handlers.onInvitation { spawn { await onInvitation(invitation) } }
  }
}
