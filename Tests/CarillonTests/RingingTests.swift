import CarillonTesting
import JingleCore
import Testing
import XMPPCore

@testable import Carillon

/// Waits until its task is cancelled, as a handler does that asks a person.
private func think() async throws {
  try await Task.sleep(for: .seconds(600))
}

@Suite(.serialized, .timeLimit(.minutes(1)))
struct RingingTests {
  private let server = InMemoryServer()

  @Test(arguments: [false, true])
  func `a call that is declined says whether the peer is busy`(busy: Bool) async throws {
    let onCall: OnCall = { incoming in
      if busy { await incoming.declineBusy() } else { await incoming.decline() }
    }
    try await withClient(server, "bob@localhost/desk", onCall: onCall) { bob in
      try await withClient(server, "alice@localhost/laptop") { alice in
        let (events, error) = await alice.follow("bob@localhost", .tone(440))
        #expect(error?.code == (busy ? .busy : .declined))
        #expect(error?.message.contains("bob@localhost") == true)
        #expect(events.names == ["proposed", "ringing", "ended"])
        #expect(events.end?.reason == (busy ? "busy" : "decline") && events.end?.endedByPeer == true)
        try await until { await bob.isIdle }
      }
    }
  }

  @Test func `a handler that returns or throws without an answer declines`() async throws {
    let onCall: OnCall = { _ in throw Broken() }
    try await withClient(server, "bob@localhost/desk", onCall: onCall) { bob in
      try await withClient(server, "alice@localhost/laptop") { alice in
        #expect(await alice.follow("bob@localhost", .tone(440)).error?.code == .declined)
        try await until { await bob.isIdle }
      }
    }
  }

  @Test func `nobody answers, though it rings`() async throws {
    try await withClient(server, "bob@localhost/desk", onCall: { _ in try await think() }) { bob in
      try await withClient(
        server, "alice@localhost/laptop", configure: { $0.ringingTimeout = .milliseconds(300) }
      ) { alice in
        let (events, error) = await alice.follow("bob@localhost", .tone(440))
        #expect(error?.code == .noAnswer)
        #expect(error?.message.contains("though a device rang") == true)
        #expect(events.end?.reason == "timeout" && events.end?.endedByPeer == false)
        // The callee is told, and its handler ends.
        try await until { await bob.isIdle }
      }
    }
  }

  @Test func `an account that does not exist cannot be called`() async throws {
    try await withClient(server, "alice@localhost/laptop") { alice in
      let (events, error) = await alice.follow("nobody@localhost", .tone(440))
      #expect(error?.code == .noAnswer)
      #expect(error?.message.contains("no account nobody@localhost") == true)
      #expect(events.names == ["proposed", "ended"])
    }
  }

  @Test func `a device that is not online cannot be called`() async throws {
    try await withClient(server, "alice@localhost/laptop") { alice in
      let (events, error) = await alice.follow("nobody@localhost/gone", .tone(440))
      #expect(error?.code == .noAnswer && error?.message.contains("nobody@localhost/gone") == true)
      #expect(events.isEmpty)
    }
  }

  @Test func `a peer whose devices cannot be called is not rung`() async throws {
    try await withScript(server, "bob@localhost/text", features: ["urn:xmpp:receipts"]) { bob in
      try await withClient(server, "alice@localhost/laptop") { alice in
        try await until { await alice.knows(bob.address) }
        let (events, error) = await alice.follow("bob@localhost", .tone(440))
        #expect(error?.code == .noAnswer)
        #expect(error?.message.contains("is online (text), but no device there can take calls") == true)
        #expect(events.isEmpty)
      }
    }
  }

  @Test func `a client without a call handler does not ring`() async throws {
    try await withClient(server, "bob@localhost/desk") { bob in
      try await withClient(
        server, "alice@localhost/laptop", configure: { $0.ringingTimeout = .milliseconds(300) }
      ) { alice in
        let (_, error) = await alice.follow("bob@localhost", .tone(440))
        #expect(error?.code == .noAnswer && error?.message.contains("no device rang") == true)
        #expect(await bob.isIdle)
      }
    }
  }

  @Test func `who may not call is not told that anybody is there`() async throws {
    try await withClient(server, "bob@localhost/desk", allows: { _ in false }, onCall: { _ in }) { bob in
      try await withScript(server, "mallory@localhost/x") { mallory in
        await mallory.send(.audioProposal, "1", to: bob.configuration.account.bare)
        let initiate = Jingle(.sessionInitiate, sid: "2", contents: [.audio()])
        let answer = try await mallory.request(initiate, to: bob.configuration.account)
        #expect(answer.content == .error(StanzaError(.serviceUnavailable)))
        #expect(await bob.isIdle)
        #expect(await !mallory.has { $0.name == "message" })
      }
    }
  }

  @Test func `when contacts alone may call, nobody else can tell whether anybody is there`() async throws {
    let rang = Log<String>()
    server.setRoster(
      [
        RosterItem(jid: jid("friend@localhost"), subscription: .both),
        RosterItem(jid: jid("follower@localhost"), subscription: .from),
        RosterItem(jid: jid("idol@localhost"), subscription: .to),
        RosterItem(jid: jid("nobody@localhost"), subscription: .none),
      ], of: jid("alice@localhost"))
    try await withClient(
      server, "alice@localhost/laptop", configure: { $0.callers = .contacts },
      onCall: {
        rang.append("\($0.peer.bare)")
        try await think()
      }
    ) { [server] alice in
      let own = alice.configuration.account
      for name in ["friend", "follower", "idol", "nobody", "stranger"] {
        try await withScript(server, "\(name)@localhost/x") { caller in
          await caller.send(.audioProposal, name, to: own.bare, extra: [DeliveryReceipt.request.element])
          let answers = [
            try await caller.request(Jingle(.sessionInitiate, sid: "2", contents: [.audio()]), to: own),
            try await caller.request(Jingle(.sessionTerminate, sid: "3"), to: own),
            try await caller.request(XMLElement("jingle", namespace: Jingle.namespace), to: own),
            try await caller.request(XMLElement("query", namespace: DiscoInfo.namespace), to: own),
            // Nobody at all is there.
            try await caller.request(
              XMLElement("query", namespace: DiscoInfo.namespace), to: jid("alice@localhost/gone")),
          ].map(\.content)
          if ["friend", "follower"].contains(name) {
            _ = try await caller.message("ringing")
            #expect(answers[1] == .error(.unknownSession))
          } else {
            #expect(Set(answers) == [.error(StanzaError(.serviceUnavailable))])
            #expect(await !caller.has { $0.name == "message" })
          }
        }
      }
      #expect(rang.entries == ["friend@localhost", "follower@localhost"])
    }
  }

  @Test func `whom this side calls may call back, contact or not`() async throws {
    try await withScript(server, "bob@localhost/desk") { [server] bob in
      try await withClient(
        server, "alice@localhost/laptop", configure: { $0.callers = .contacts }, onCall: { _ in try await think() }
      ) { alice in
        async let result = alice.follow("bob@localhost", .tone(440))
        let (_, caller) = try await bob.message("propose")
        await bob.send(.audioProposal, "0", to: caller.bare)
        let (ringing, _) = try await bob.message("ringing")
        #expect(ringing.id == "0")
        #expect(await result.events.end?.migratedTo == "0")
      }
    }
  }

  @Test func `who does not see this account's presence is shown it when the two talk`() async throws {
    server.setRoster([RosterItem(jid: jid("friend@localhost"), subscription: .both)], of: jid("alice@localhost"))
    try await withClient(server, "alice@localhost/laptop", onCall: answering { .tone(440) }) { [server] alice in
      let own = alice.configuration.account
      for name in ["friend", "stranger"] {
        try await withScript(server, "\(name)@localhost/x") { caller in
          try await until { await alice.knows(caller.address) }
          await caller.send(.audioProposal, name, to: own.bare)
          _ = try await caller.message("proceed")
          let isShown = await caller.has { $0.name == "presence" && $0[attribute: "to"] == "\(caller.address)" }
          #expect(isShown == (name == "stranger"))
          await caller.send(.retract(nil), name, to: own.bare)
        }
      }
    }
  }

  @Test
  func `of devices without message initiation the preferred one rings, and with one that has it all are proposed to`()
    async throws
  {
    try await withScript(server, "bob@localhost/old", features: ScriptedPeer.callable) { [server] old in
      try await withScript(server, "bob@localhost/text", features: ["urn:xmpp:receipts"]) { text in
        try await withScript(server, "bob@localhost/better", features: ScriptedPeer.callable) { better in
          await better.prefer(5)
          try await withClient(
            server, "alice@localhost/laptop", configure: { $0.ringingTimeout = .milliseconds(200) }
          ) { alice in
            for device in [old, text, better] { try await until { await alice.knows(device.address) } }
            try await until { await alice.presences[better.address]?.priority == 5 }
            async let direct = alice.follow("bob@localhost", .tone(440))
            _ = try await better.jingle(.sessionInitiate)
            #expect(await direct.error?.code == .noAnswer)
            try await withScript(server, "bob@localhost/new") { new in
              try await until { await alice.knows(new.address) }
              async let proposed = alice.follow("bob@localhost", .tone(440))
              _ = try await new.message("propose")
              #expect(await proposed.error?.code == .noAnswer)
            }
            #expect(await !old.has { $0.first("jingle", Jingle.namespace) != nil })
          }
        }
      }
    }
  }

  @Test func `the caller hangs up while it rings, and the handler is cancelled`() async throws {
    let answers = Log<CallError>()
    let onCall: OnCall = { incoming in
      do { try await think() } catch {}
      do {
        try await incoming.answer(with: .tone(880)) { _ in }
      } catch let error as CallError {
        answers.append(error)
      }
    }
    try await withClient(server, "bob@localhost/desk", onCall: onCall) { bob in
      try await withClient(server, "alice@localhost/laptop") { alice in
        let (events, error) = await alice.follow("bob@localhost", .tone(440)) { $0.isRinging }
        #expect(error == nil && events.end?.reason == "cancel")
        try await until { answers.entries.count == 1 }
        #expect(answers.entries.first?.message == "alice@localhost/laptop hung up.")
        try await until { await bob.isIdle }
      }
    }
  }

  @Test func `a task that is cancelled hangs up`() async throws {
    try await withClient(server, "bob@localhost/desk", onCall: { _ in try await think() }) { bob in
      try await withClient(server, "alice@localhost/laptop") { alice in
        let calling = Task { await alice.follow("bob@localhost", .tone(440)) }
        try await until { await !bob.isIdle }
        calling.cancel()
        _ = await calling.value
        #expect(await alice.isIdle)
        try await until { await bob.isIdle }
      }
    }
  }

  @Test func `two devices ring, one takes the call, the other stops`() async throws {
    let answers = Log<CallError>()
    let waiting: OnCall = { incoming in
      do { try await think() } catch {}
      do {
        try await incoming.answer(with: .tone(880)) { _ in }
      } catch let error as CallError {
        answers.append(error)
      }
    }
    let taking: OnCall = { incoming in
      // Not before the other device rings too.
      try await Task.sleep(for: .milliseconds(200))
      try await incoming.answer(with: .tone(880)) { call in for await _ in call.events {} }
    }
    try await withClient(server, "bob@localhost/phone", onCall: waiting) { _ in
      try await withClient(server, "bob@localhost/desk", onCall: taking) { _ in
        try await withClient(server, "alice@localhost/laptop") { alice in
          let (events, error) = await alice.follow("bob@localhost", .tone(440)) { $0.isConnected }
          #expect(error == nil)
          #expect(events.count { $0.isRinging } == 2 && events.contains { $0.isConnected })
          #expect(answers.entries.first?.message == "Another device took the call: bob@localhost/desk.")
          #expect(answers.entries.first?.code == .answeredElsewhere)
        }
      }
    }
  }

  @Test func `one device declines for all`() async throws {
    let decliningSoon: OnCall = { incoming in
      try await Task.sleep(for: .milliseconds(200))
      await incoming.decline()
    }
    try await withClient(server, "bob@localhost/phone", onCall: { _ in try await think() }) { phone in
      try await withClient(server, "bob@localhost/desk", onCall: decliningSoon) { _ in
        try await withClient(server, "alice@localhost/laptop") { alice in
          #expect(await alice.follow("bob@localhost", .tone(440)).error?.code == .declined)
          try await until { await phone.isIdle }
        }
      }
    }
  }

  @Test func `a device of its own can be called`() async throws {
    let phoneRang = Log<String>()
    try await withClient(server, "bob@localhost/phone", onCall: { phoneRang.append($0.sid) }) { _ in
      try await withClient(server, "bob@localhost/desk", onCall: answering { .tone(880) }) { _ in
        try await withClient(server, "alice@localhost/laptop") { alice in
          let (events, error) = await alice.follow("bob@localhost/desk", .tone(440)) { $0.isConnected }
          #expect(error == nil && events.report != nil)
          #expect(phoneRang.entries.isEmpty)
        }
      }
    }
  }

  @Test func `of two calls that cross one stands, the other's caller is told, and it connects`() async throws {
    let aliceRang = Log<String>()
    let bobRang = Log<String>()
    let aliceTakes: OnCall = { incoming in
      aliceRang.append(incoming.sid)
      try await incoming.answer(with: .tone(440)) { call in for await _ in call.events {} }
    }
    let bobTakes: OnCall = { incoming in
      bobRang.append(incoming.sid)
      try await incoming.answer(with: .tone(880)) { call in for await _ in call.events {} }
    }
    try await withClient(server, "bob@localhost/desk", onCall: bobTakes) { bob in
      try await withClient(server, "alice@localhost/laptop", onCall: aliceTakes) { alice in
        async let fromAlice = alice.follow("bob@localhost", .tone(440)) { $0.isConnected }
        async let fromBob = bob.follow("alice@localhost", .tone(880)) { $0.isConnected }
        let results = await [fromAlice, fromBob]
        let winners = results.count { $0.error == nil && $0.events.report != nil }
        if aliceRang.entries.count + bobRang.entries.count == 1 {
          #expect(winners == 1)
          let loser = try #require(results.first { $0.error != nil })
          #expect(loser.error?.message.contains("at the same moment") == true)
        } else {
          // They did not cross: one was over, or taken, before the other was placed.
          #expect(winners >= 1)
        }
        try await until { await alice.isIdle }
        try await until { await bob.isIdle }
      }
    }
  }

  @Test(arguments: [("0", false), ("zzz", true)])
  func `the lower id wins a tie, and the loser's proposal does not ring`(id: String, wins: Bool) async throws {
    let rang = Log<String>()
    try await withScript(server, "bob@localhost/desk") { bob in
      try await withClient(server, "alice@localhost/laptop", onCall: { rang.append($0.sid) }) { alice in
        let own = alice.configuration.account
        async let result = alice.follow("bob@localhost", .tone(440))
        let (proposal, caller) = try await bob.message("propose")
        await bob.send(.audioProposal, id, to: caller.bare)
        try await bob.settle(own)
        if wins {
          let (answer, _) = try await bob.message("reject")
          #expect(answer.id == id)
          #expect(rang.entries.isEmpty)
          await bob.send(.reject(Jingle.Reason(.busy)), proposal.id, to: caller)
          #expect(await result.error?.code == .busy)
        } else {
          let (answer, _) = try await bob.message("retract")
          #expect(answer.id == proposal.id)
          #expect(await result.error?.message.contains("its call goes first") == true)
          _ = try await bob.message("ringing")
          try await until { rang.entries == [id] }
        }
      }
    }
  }

  @Test func `an old proposal out of storage neither rings nor ties`() async throws {
    let rang = Log<String>()
    try await withScript(server, "bob@localhost/desk") { bob in
      try await withClient(server, "alice@localhost/laptop", onCall: { rang.append($0.sid) }) { alice in
        let own = alice.configuration.account
        let delay = XMLElement(
          "delay", namespace: "urn:xmpp:delay", attributes: ["from": "localhost", "stamp": "2024-01-01T00:00:00Z"])
        async let result = alice.follow("bob@localhost", .tone(440))
        let (proposal, caller) = try await bob.message("propose")
        await bob.send(.audioProposal, "0", to: caller.bare, extra: [delay])
        try await bob.settle(own)
        #expect(rang.entries.isEmpty)
        await bob.send(.reject(Jingle.Reason(.decline)), proposal.id, to: caller)
        #expect(await result.error?.code == .declined)
      }
    }
  }

  @Test func `a flood of proposals rings now and then, one at a time, and others still get through`() async throws {
    let rang = Log<String>()
    let onCall: OnCall = { incoming in
      rang.append(incoming.sid)
      try await think()
    }
    try await withClient(server, "alice@localhost/laptop", onCall: onCall) { alice in
      let own = alice.configuration.account
      try await withScript(server, "mallory@localhost/x") { mallory in
        for number in 0..<1000 { await mallory.send(.audioProposal, "flood\(number)", to: own.bare) }
        try await mallory.settle(own)
        #expect(await alice.callCount == 1)
        for number in 0..<100 {
          let offer = Jingle(.sessionInitiate, sid: "direct\(number)", contents: [.audio()])
          let answer = try await mallory.request(offer, to: own)
          #expect(answer.content == .error(StanzaError(.resourceConstraint)))
        }
        #expect(rang.entries.count <= 12 && rang.entries.first == "flood0")
        try await withScript(server, "carol@localhost/x") { carol in
          await carol.send(.audioProposal, "carol", to: own.bare)
          _ = try await carol.message("ringing")
        }
        for number in 0..<12 { await mallory.send(.retract(nil), "flood\(number)", to: own.bare) }
        try await until { await alice.callCount == 1 }
      }
    }
  }

  @Test func `many strangers ring no more often than a person can bear`() async throws {
    try await withClient(server, "alice@localhost/laptop", onCall: { _ in try await think() }) { alice in
      let own = alice.configuration.account
      var rang = 0
      for number in 0..<40 {
        rang += try await withScript(server, "bot\(number)@localhost/x") { bot in
          await bot.send(.audioProposal, "bot\(number)", to: own.bare)
          try await bot.settle(own)
          await bot.send(.retract(nil), "bot\(number)", to: own.bare)
          try await bot.settle(own)
          return await bot.has { $0.first("ringing", JingleMessage.namespace) != nil } ? 1 : 0
        }
      }
      #expect(rang == 30)
    }
  }

  @Test func `who calls anew while it rings takes the place of the first call`() async throws {
    let ends = Log<CallEnd?>()
    let onCall: OnCall = { incoming in
      do { try await think() } catch {}
      ends.append(await incoming.end)
    }
    try await withClient(server, "alice@localhost/laptop", onCall: onCall) { alice in
      let own = alice.configuration.account
      try await withScript(server, "bob@localhost/x") { bob in
        await bob.send(.audioProposal, "first", to: own.bare)
        await bob.send(.audioProposal, "second", to: own.bare)
        let (answer, _) = try await bob.message("reject")
        #expect(answer.id == "first" && answer.action == .reject(Jingle.Reason(.expired)))
        try await until { ends.entries.count == 1 }
        #expect(ends.entries[0]?.migratedTo == "second" && ends.entries[0]?.endedByPeer == true)
        #expect(await alice.callCount == 1)
      }
    }
  }

  @Test func `the same proposal rings once, however often and on what way it comes`() async throws {
    let rang = Log<String>()
    try await withClient(
      server, "alice@localhost/laptop",
      onCall: {
        rang.append($0.sid)
        try await think()
      }
    ) { alice in
      let own = alice.configuration.account
      try await withScript(server, "bob@localhost/x") { bob in
        for recipient in [own.bare, own, own.bare] { await bob.send(.audioProposal, "1", to: recipient) }
        await bob.send(.retract(nil), "1", to: own.bare)
        await bob.send(.audioProposal, "1", to: own.bare)
        try await bob.settle(own)
        #expect(await alice.callCount == 0)
        // The handler runs, though its call may be over before it does.
        try await until { await alice.isIdle }
        #expect(rang.entries == ["1"])
      }
    }
  }

  @Test func `what is said of a call that is over changes nothing`() async throws {
    try await withClient(
      server, "alice@localhost/laptop", onCall: { await $0.decline() }
    ) { alice in
      let own = alice.configuration.account
      try await withScript(server, "bob@localhost/x") { bob in
        await bob.send(.audioProposal, "1", to: own.bare)
        _ = try await bob.message("reject")
        for action in [.accept, .proceed, .ringing, .reject(nil), .retract(nil), .finish(nil)] as [JingleMessage.Action]
        {
          await bob.send(action, "1", to: own)
        }
        // A session that follows all the same belongs to no call that anybody took: it is one of its own.
        let answer = try await bob.request(Jingle(.sessionAccept, sid: "1", contents: [.audio()]), to: own)
        #expect(answer.content == .error(.unknownSession))
        try await until { await alice.isIdle }
        #expect(await !bob.has { $0.first("finish", JingleMessage.namespace) != nil })
      }
    }
  }

  @Test func `another caller under the same id is not taken for the first`() async throws {
    let outcomes = Log<String>()
    let onCall: OnCall = { incoming in
      guard outcomes.entries.isEmpty else { return try await think() }
      outcomes.append("rang")
      do { try await think() } catch {}
      do {
        try await incoming.answer(with: .tone(440)) { _ in }
      } catch let error as CallError {
        outcomes.append(error.message)
      }
    }
    try await withClient(server, "alice@localhost/laptop", onCall: onCall) { alice in
      let own = alice.configuration.account
      try await withScript(server, "bob@localhost/x") { bob in
        try await withScript(server, "mallory@localhost/x") { mallory in
          await bob.send(.audioProposal, "same", to: own.bare)
          try await until { outcomes.entries.count == 1 }
          await bob.send(.retract(nil), "same", to: own.bare)
          await mallory.send(.audioProposal, "same", to: own.bare)
          _ = try await mallory.message("ringing")
          try await until { outcomes.entries.count == 2 }
          #expect(outcomes.entries.last == "bob@localhost/x hung up.")
          #expect(await !mallory.has { $0.first("proceed", JingleMessage.namespace) != nil })
        }
      }
    }
  }

  @Test func `a receipt is given for a proposal that rings`() async throws {
    try await withClient(server, "alice@localhost/laptop", onCall: { _ in try await think() }) { alice in
      try await withScript(server, "bob@localhost/x") { bob in
        await bob.send(
          .audioProposal, "1", to: alice.configuration.account.bare, extra: [DeliveryReceipt.request.element])
        let receipt = try await bob.next { $0.first("received", DeliveryReceipt.namespace) != nil }
        #expect(receipt.first("received", DeliveryReceipt.namespace)?[attribute: "id"] == "m1")
      }
    }
  }
}
