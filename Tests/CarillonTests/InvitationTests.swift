import CarillonTesting
import JingleCore
import Testing
import XMPPCore

@testable import Carillon

@Suite(.serialized, .timeLimit(.minutes(1)))
struct InvitationTests {
  private let server = InMemoryServer()

  private func withInvited(
    configure: @escaping @Sendable (inout Client.Configuration) -> Void = { _ in },
    _ body: @escaping @Sendable (Client, ScriptedPeer, Log<Client.CallInvitation>) async throws -> Void
  ) async throws {
    let invitations = Log<Client.CallInvitation>()
    var handlers = Client.Handlers()
    handlers.onInvitation = { invitations.append($0) }
    try await withClient(
      server, "mara@localhost/desk", configure: configure, handlers: handlers,
      onCall: { _ in try await Task.sleep(for: .seconds(600)) }
    ) { [server] mara in
      try await withScript(server, "dan@localhost/x") { try await body(mara, $0, invitations) }
    }
  }

  static let methods: [CallInvite.Method] = [
    .jingle(sid: "sid2", jid: jid("mixer@localhost/uuid")), .external(uri: "https://example.com/uuid"),
    .other(XMLElement("smoke", namespace: "urn:example")), .muji(room: jid("room@muc.localhost")),
  ]

  @Test func `an invitation is told once with the ways that are known, and nothing is joined`() async throws {
    try await withInvited { mara, dan, invitations in
      let own = mara.configuration.account
      for recipient in [own.bare, own] {
        await dan.say(.invite(video: true, Self.methods), "id2", to: recipient)
      }
      try await dan.settle(own)
      try await until { invitations.entries.count == 1 }
      let invitation = try #require(invitations.entries.first)
      #expect(invitation.inviter == dan.address && invitation.id == "id2" && invitation.state == .open)
      #expect(invitation.media == [.audio, .video])
      #expect(
        invitation.meetings == [
          .jingle(sid: "sid2", device: jid("mixer@localhost/uuid")), .uri("https://example.com/uuid"),
          .room(jid("room@muc.localhost")),
        ])
      #expect(await mara.callCount == 0)
      #expect(await !dan.has { $0.name == "message" })
    }
  }

  @Test func `what becomes of an invitation is told`() async throws {
    try await withInvited { [server] mara, dan, invitations in
      let own = mara.configuration.account
      try await withScript(server, "mara@localhost/phone") { phone in
        try await withScript(server, "mallory@localhost/x") { mallory in
          for id in ["1", "2", "3"] { await dan.say(.invite([.jingle(sid: id, jid: nil)]), id, to: own.bare) }
          try await until { invitations.entries.count == 3 }
          await mallory.say(.retract, "1", to: own)
          await mallory.say(.reject, "1", to: own)
          try await mallory.settle(own)
          await dan.say(.retract, "1", to: own.bare)
          await phone.say(.accept(nil), "2", to: dan.address)
          await phone.say(.reject, "3", to: dan.address)
          await phone.say(.left, "3", to: dan.address)
          try await until { invitations.entries.count == 6 }
          let ends = invitations.entries.dropFirst(3)
          #expect(
            Dictionary(uniqueKeysWithValues: ends.map { ($0.id, $0.state) }) == [
              "1": .retracted, "2": .acceptedElsewhere, "3": .declinedElsewhere,
            ])
        }
      }
    }
  }

  @Test func `strangers and floods are not heard`() async throws {
    server.setRoster([RosterItem(jid: jid("dan@localhost"), subscription: .both)], of: jid("mara@localhost"))
    try await withInvited(configure: { $0.callers = .contacts }) { [server] mara, dan, invitations in
      let own = mara.configuration.account
      try await withScript(server, "mallory@localhost/x") { mallory in
        await mallory.say(.invite([.external(uri: "https://example.com")]), "m", to: own)
        for number in 0..<200 { await dan.say(.invite([.jingle(sid: "s", jid: nil)]), "\(number)", to: own) }
        try await dan.settle(own)
        try await until { invitations.entries.count >= 12 }
        #expect(invitations.entries.count == 12 && invitations.entries.allSatisfy { $0.inviter == dan.address })
      }
    }
  }
}

extension ScriptedPeer {
  fileprivate func say(_ action: CallInvite.Action, _ id: String, to recipient: JID) {
    let invite = CallInvite(id: id, action)
    link.send(Message(type: .chat, id: id, to: recipient, payloads: [invite.element]).element)
  }
}
