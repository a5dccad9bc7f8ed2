import CarillonTesting
import JingleCore
import MediaTime
import Testing
import XMPPCore

@testable import Carillon

/// How calls that a person was asked about ended.
private typealias Ends = Log<(device: String, atFirst: CallEnd?, end: CallEnd?)>

/// Asks a person who never answers, and notes why it rings no more.
private func waiting(_ device: String, _ ends: Ends) -> OnCall {
  { incoming in
    let atFirst = await incoming.end
    do { try await Task.sleep(for: .seconds(600)) } catch {}
    ends.append((device, atFirst, await incoming.end))
  }
}

@Suite(.serialized, .timeLimit(.minutes(1)))
struct SeveralDevicesTests {
  @Test(arguments: [true, false])
  func `three devices ring, one takes the call, and the others know it at once`(carbons: Bool) async throws {
    let server = InMemoryServer(carbons: carbons)
    let ends = Ends()
    let taking: OnCall = { incoming in
      try await Task.sleep(for: .milliseconds(200))
      try await incoming.answer(with: .tone(880)) { call in for await _ in call.events {} }
    }
    try await withClient(server, "bob@localhost/phone", onCall: waiting("phone", ends)) { phone in
      try await withClient(server, "bob@localhost/tablet", onCall: waiting("tablet", ends)) { tablet in
        try await withClient(server, "bob@localhost/desk", onCall: taking) { _ in
          try await withClient(server, "alice@localhost/laptop") { alice in
            let (events, error) = await alice.follow("bob@localhost", .tone(440)) { $0.isConnected }
            #expect(error == nil && events.report != nil)
            #expect(events.count { $0.isRinging } == 3)
            try await until { ends.entries.count == 2 }
            for entry in ends.entries {
              #expect(entry.atFirst?.reason == nil)
              #expect(entry.end?.error?.code == .answeredElsewhere)
              #expect(entry.end?.error?.message == "Another device took the call: bob@localhost/desk.")
              #expect(entry.end?.endedByPeer == false)
            }
            try await until { await phone.isIdle }
            try await until { await tablet.isIdle }
          }
        }
      }
    }
  }

  @Test(arguments: [true, false])
  func `three devices ring, one declines, and the others know it at once`(carbons: Bool) async throws {
    let server = InMemoryServer(carbons: carbons)
    let ends = Ends()
    let declining: OnCall = { incoming in
      try await Task.sleep(for: .milliseconds(200))
      await incoming.decline()
    }
    try await withClient(server, "bob@localhost/phone", onCall: waiting("phone", ends)) { _ in
      try await withClient(server, "bob@localhost/tablet", onCall: waiting("tablet", ends)) { _ in
        try await withClient(server, "bob@localhost/desk", onCall: declining) { _ in
          try await withClient(server, "alice@localhost/laptop") { alice in
            let (events, error) = await alice.follow("bob@localhost", .tone(440))
            #expect(error?.code == .declined && events.end?.endedByPeer == true)
            try await until { ends.entries.count == 2 }
            #expect(ends.entries.allSatisfy { $0.end?.error?.code == .declinedElsewhere })
          }
        }
      }
    }
  }

  @Test func `both ends tell both accounts' archives when and why a call is over`() async throws {
    let said = Log<Message>()
    let server = InMemoryServer(domain: "localhost") { stanza in
      if let message = try? Message(stanza), JingleMessage(in: message) != nil { said.append(message) }
      return stanza
    }
    try await withClient(server, "bob@localhost/desk", onCall: answering { .tone(880) }) { bob in
      try await withClient(server, "alice@localhost/laptop") { alice in
        let (_, error) = await alice.follow("bob@localhost", .tone(440)) { $0.isConnected }
        #expect(error == nil)
        try await until { await bob.isIdle }
        try await until { await alice.isIdle }
        #expect(said.entries.allSatisfy { $0.type == .chat && $0.hints == [.store] })
        let words = said.entries.compactMap { message in JingleMessage(in: message).map { ($0.action, message.to) } }
        let finishes = words.filter { $0.0 == .finish(Jingle.Reason(.success)) }.map(\.1)
        #expect(Set(finishes) == [alice.configuration.account, bob.configuration.account] && finishes.count == 2)
        // To the account: the question, and what its other devices are to hear.
        #expect(words.filter { $0.1?.isBare == true }.map(\.0) == [.audioProposal, .accept])
      }
    }
  }

  @Test func `all devices stop when the caller gives up`() async throws {
    let server = InMemoryServer()
    let ends = Ends()
    try await withClient(server, "bob@localhost/phone", onCall: waiting("phone", ends)) { _ in
      try await withClient(server, "bob@localhost/desk", onCall: waiting("desk", ends)) { _ in
        try await withClient(
          server, "alice@localhost/laptop", configure: { $0.ringingTimeout = .milliseconds(300) }
        ) { alice in
          #expect(await alice.follow("bob@localhost", .tone(440)).error?.code == .noAnswer)
          try await until { ends.entries.count == 2 }
          #expect(ends.entries.allSatisfy { $0.end?.reason == "timeout" && $0.end?.endedByPeer == true })
        }
      }
    }
  }

  /// Dino says both; others say the one or the other, as they believe in carbons.
  @Test(arguments: [[.accept, .proceed], [.accept], [.proceed]] as [[JingleMessage.Action]])
  func `another client's device takes the call`(words: [JingleMessage.Action]) async throws {
    let server = InMemoryServer()
    let ends = Ends()
    try await withClient(server, "bob@localhost/phone", onCall: waiting("phone", ends)) { phone in
      try await withScript(server, "bob@localhost/dino") { dino in
        try await withScript(server, "alice@localhost/x") { alice in
          await alice.send(.audioProposal, "1", to: phone.configuration.account.bare)
          _ = try await alice.message("ringing")
          for word in words {
            await dino.send(word, "1", to: word == .accept ? dino.address.bare : alice.address)
          }
          try await until { ends.entries.count == 1 }
          #expect(ends.entries.first?.end?.error?.code == .answeredElsewhere)
          // Once it rings no more, nothing that follows is this device's business.
          await alice.send(.finish(nil), "1", to: dino.address)
          try await alice.settle(phone.configuration.account)
          #expect(await !alice.has { $0.first("finish", JingleMessage.namespace) != nil })
        }
      }
    }
  }

  @Test func `two devices take the call at the same moment, and the one that is not chosen steps back`() async throws {
    let server = InMemoryServer()
    let errors = Log<CallError>()
    let taking: OnCall = { incoming in
      do {
        try await incoming.answer(with: .tone(880)) { call in for await _ in call.events {} }
      } catch let error as CallError {
        errors.append(error)
      }
    }
    try await withClient(server, "bob@localhost/phone", onCall: taking) { phone in
      try await withScript(server, "bob@localhost/desk") { desk in
        try await withScript(server, "alice@localhost/x") { alice in
          await alice.send(.audioProposal, "1", to: phone.configuration.account.bare)
          _ = try await alice.message("proceed")
          let patience = try #require(await phone.proposalDeadline("1"))
          await desk.send(.accept, "1", to: desk.address.bare)
          await desk.send(.proceed, "1", to: alice.address)
          try await until { await phone.proposalDeadline("1") ?? patience < patience }
          // The other device's call is over, and never was here.
          await desk.send(.finish(nil), "1", to: alice.address)
          try await until { errors.entries.count == 1 }
          #expect(errors.entries.first?.code == .answeredElsewhere)
          #expect(
            errors.entries.first?.message
              == "Another device took the call at the same moment, and alice@localhost/x chose that one: bob@localhost/desk."
          )
          // Nothing was said that could end the other's call.
          for word in ["reject", "finish", "retract"] {
            #expect(
              await !alice.has {
                $0.first(word, JingleMessage.namespace) != nil
                  && $0[attribute: "from"] == "\(phone.configuration.account)"
              })
          }
        }
      }
    }
  }

  @Test func `two devices take the call at the same moment, and the chosen one carries it`() async throws {
    let server = InMemoryServer()
    let taking: OnCall = { incoming in
      try await incoming.answer(with: .tone(880)) { call in for await _ in call.events {} }
    }
    try await withClient(server, "bob@localhost/phone", onCall: taking) { _ in
      try await withClient(server, "bob@localhost/desk", onCall: taking) { _ in
        try await withClient(server, "alice@localhost/laptop") { alice in
          let (events, error) = await alice.follow("bob@localhost", .tone(440)) { $0.isConnected }
          #expect(error == nil && events.report != nil)
          #expect(events.names.count { $0 == "proceeding" } == 1)
        }
      }
    }
  }

  @Test func `a call to another device of the account does not ring here, copied or not`() async throws {
    let server = InMemoryServer()
    let rang = Log<String>()
    try await withClient(server, "bob@localhost/phone", onCall: { rang.append($0.sid) }) { phone in
      try await withClient(server, "bob@localhost/desk", onCall: { _ in try await Task.sleep(for: .seconds(600)) }) {
        desk in
        try await withScript(server, "alice@localhost/x") { alice in
          await alice.send(.audioProposal, "1", to: desk.configuration.account)
          _ = try await alice.message("ringing")
          try await alice.settle(phone.configuration.account)
          #expect(rang.entries.isEmpty)
        }
      }
    }
  }

  /// Who sends it, and what is around the copy.
  static let forgeries = [
    ("mallory@localhost/x", "received", "alice@localhost/x"), ("mallory@localhost/x", "sent", "bob@localhost/desk"),
    ("alice@localhost/x", "sent", "bob@localhost/desk"), ("bob@localhost/desk", "sent", "bob@localhost/desk"),
  ]

  @Test(arguments: forgeries)
  func `forged copies neither ring nor stop what rings`(sender: String, kind: String, from: String) async throws {
    let server = InMemoryServer()
    let rang = Log<String>()
    try await withClient(
      server, "bob@localhost/phone",
      onCall: {
        rang.append($0.sid)
        try await Task.sleep(for: .seconds(600))
      }
    ) { phone in
      let own = phone.configuration.account
      try await withScript(server, "carol@localhost/x") { carol in
        await carol.send(.audioProposal, "1", to: own.bare)
        _ = try await carol.message("ringing")
        try await withScript(server, sender) { forger in
          for action in [.accept, .proceed, .reject(nil), .finish(nil), .retract(nil)] as [JingleMessage.Action] {
            await forger.forge(kind, action, "1", from: from, to: own)
          }
          await forger.forge(kind, .audioProposal, "2", from: from, to: own)
          try await forger.settle(own)
        }
        #expect(rang.entries == ["1"])
        #expect(await phone.callCount == 1)
      }
    }
  }

  @Test func `a room's private messages do not ring`() async throws {
    let server = InMemoryServer()
    let rang = Log<String>()
    try await withClient(server, "bob@localhost/phone", onCall: { rang.append($0.sid) }) { phone in
      let own = phone.configuration.account
      try await withScript(server, "room@localhost/nick") { nick in
        let mark = XMLElement("x", namespace: "http://jabber.org/protocol/muc#user")
        await nick.send(.audioProposal, "1", to: own, extra: [mark])
        try await nick.settle(own)
        #expect(rang.entries.isEmpty)
      }
    }
  }
}

extension ScriptedPeer {
  /// Sends what looks like a carbon.
  fileprivate func forge(_ kind: String, _ action: JingleMessage.Action, _ id: String, from: String, to own: JID) {
    var inside = JingleMessage(id: id, action).stanza(
      to: kind == "sent" ? jid("carol@localhost/x") : own, stanzaID: "f")
    inside.from = jid(from)
    let forwarded = XMLElement("forwarded", namespace: "urn:xmpp:forward:0", children: [inside.element])
    let carbon = XMLElement(kind, namespace: MessageCarbon.namespace, children: [forwarded])
    link.send(Message(type: .chat, to: own, payloads: [carbon]).element)
  }
}
