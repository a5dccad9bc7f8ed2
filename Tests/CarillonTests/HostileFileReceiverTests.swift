import CarillonTesting
import Foundation
import JingleCore
import Testing
import XMPPCore

@testable import Carillon

/// Files to a receiver that lies, breaks the rules, or falls silent.
@Suite(.timeLimit(.minutes(2)))
struct HostileFileReceiverTests {
  /// What the receiver does in place of taking the file; and what comes of it.
  enum Offence: CaseIterable {
    case noAnswer, declines, outside, wrongWay, wrongStream, neverOpens, doesNotOpen, takesNothing, refusesBlock
    case closes, ends, saysNothing, lies, leaves, leavesWithAll, forgets

    var code: CallError.Code {
      switch self {
      case .noAnswer: .noAnswer
      case .declines: .declined
      case .outside: .protocolViolation
      case .takesNothing, .saysNothing: .timedOut
      case .ends, .lies, .forgets: .failed
      default: .connectivity
      }
    }

    var words: String {
      switch self {
      case .noAnswer: "did not answer the offer of film.mkv"
      case .declines: "not on a Sunday"
      case .outside: "wants a part that film.mkv has not"
      case .wrongWay: "answered with another transport"
      case .wrongStream: "another bytestream was accepted"
      case .neverOpens: "No way was found for film.mkv"
      case .doesNotOpen: "does not open the in-band bytestream"
      case .takesNothing: "Nothing more of film.mkv was moved"
      case .refusesBlock: "A block of the in-band bytestream could not be delivered"
      case .closes: "in-band bytestream"
      case .ends: "ended the transfer of film.mkv: no more of it"
      case .saysNothing: "never said that it has all of film.mkv"
      case .lies: "ended the transfer before it had all of film.mkv"
      case .leaves, .leavesWithAll: "left before all of film.mkv was moved"
      case .forgets: "no longer knows the transfer of film.mkv. What has come is kept"
      }
    }

    /// What the peer is told in the end; nil where it knows.
    var condition: Jingle.Reason.Condition? {
      switch self {
      case .noAnswer, .takesNothing, .saysNothing: .timeout
      case .outside: .incompatibleParameters
      case .declines, .ends, .lies, .leaves, .leavesWithAll, .forgets: nil
      default: .failedTransport
      }
    }

    func limit(_ limits: inout JingleCore.FileTransfer.Limits) {
      switch self {
      case .noAnswer: limits.acceptance = .milliseconds(500)
      case .neverOpens: limits.connection = .seconds(1)
      case .takesNothing, .lies: limits.stall = .seconds(1)
      case .saysNothing: limits.receipt = .seconds(1)
      // By its presence.
      case .leaves: limits.absence = .milliseconds(200)
      // By the answer to a question.
      case .leavesWithAll, .forgets:
        limits.silence = .milliseconds(200)
        limits.absence = .seconds(600)
      default: break
      }
    }

    func commit(_ peer: ScriptedPeer) async throws {
      switch self {
      case .noAnswer: return
      case .declines:
        let (offer, from) = try await peer.jingle(.sessionInitiate)
        let reason = Jingle.Reason(.decline, text: "not on a Sunday")
        try await peer.request(Jingle(.sessionTerminate, sid: offer.sid, reason: reason), to: from)
        return
      case .outside:
        try await peer.acceptFile { content in
          guard case .file(var file)? = content.description else { return }
          file.range = .init(offset: 3_000_001)
          content.description = .file(file)
        }
        return
      case .wrongWay:
        try await peer.acceptFile { $0.transport = .socks5(.init(sid: "other")) }
        return
      case .wrongStream:
        try await peer.acceptFile { $0.transport = .inBand(.init(sid: "other")) }
        return
      default: break
      }
      let (sid, stream, from) = try await peer.acceptFile()
      let open = try await peer.inBand("open")
      if self == .neverOpens { return }
      if self == .doesNotOpen { return await peer.answer(open, StanzaError(.notAcceptable)) }
      await peer.answer(open)
      let first = try await peer.inBand("data")
      switch self {
      case .takesNothing: return
      case .leaves:
        // No block comes after this one, to be sent back by the server.
        await peer.link.close()
      case .refusesBlock: await peer.answer(first, StanzaError(.resourceConstraint))
      case .closes:
        await peer.answer(first)
        peer.link.send(IQ(id: "close", to: from, .set(InBandBytestream.Close(sid: stream).element)).element)
        // What was under way is not taken any more.
        while true {
          let stanza = try await peer.next {
            $0.first("data", InBandBytestream.namespace) != nil || $0[attribute: "id"] == "close"
          }
          if stanza[attribute: "id"] == "close" { return }
          await peer.answer(try IQ(stanza), StanzaError(.itemNotFound))
        }
      case .ends:
        await peer.answer(first)
        let reason = Jingle.Reason(.cancel, text: "no more of it")
        try await peer.request(Jingle(.sessionTerminate, sid: sid, reason: reason), to: from)
      case .lies:
        // It has not, after one block. Its word may be ahead of the last bytes, which are waited for.
        await peer.answer(first)
        let received = FileInfo.received(.init(creator: .initiator, name: "file"))
        try await peer.request(Jingle(.sessionInfo, sid: sid, payloads: [received.element]), to: from)
        try await peer.request(Jingle(.sessionTerminate, sid: sid, reason: Jingle.Reason(.success)), to: from)
      case .saysNothing, .leavesWithAll, .forgets:
        await peer.answer(first)
        while true {
          let stanza = try await peer.next {
            $0.first("data", InBandBytestream.namespace) != nil || $0.first("close", InBandBytestream.namespace) != nil
          }
          await peer.answer(try IQ(stanza))
          if stanza.first("close", InBandBytestream.namespace) != nil { break }
        }
        if self == .leavesWithAll { await peer.link.close() }
        guard self == .forgets else { return }
        let question = try await peer.next {
          $0.first("jingle", Jingle.namespace).map {
            $0[attribute: "action"] == "session-info" && $0.nodes.isEmpty
          } ?? false
        }
        await peer.answer(try IQ(question), .unknownSession)
      default: break
      }
    }
  }

  @Test("What a receiver does wrong is told to both ends", arguments: Offence.allCases)
  func offences(_ offence: Offence) async throws {
    let (server, folders) = (InMemoryServer(), try FileFolders())
    let path = try folders.make("film.mkv", 3_000_000)
    var settings = configuration("alice@localhost/laptop")
    if offence == .leaves { settings.maximumInBandBlocks = 1 }
    let client = server.makeClient(settings)
    await client.setFileLimits { offence.limit(&$0) }
    try await withRunning(client) { alice in
      try await withScript(
        server, "bob@localhost/script", features: ScriptedPeer.takingFiles, acknowledges: offence != .forgets
      ) { peer in
        async let script: Void = offence.commit(peer)
        do {
          var file = OutgoingFile(path: path)
          file.ways = [.inBand]
          try await alice.send(file, to: jid("bob@localhost/script"))
          Issue.record("it was sent")
        } catch let error as CallError {
          #expect(error.code == offence.code, "\(error)")
          #expect(error.message.contains(offence.words), "\(error)")
        }
        try await script
        if let condition = offence.condition { #expect(try await peer.farewell().condition == condition) }
        try await until { await alice.hasNoTransfers }
        try await until { !folders.isOpen }
      }
    }
    #expect(FileManager.default.contents(atPath: path)?.count == 3_000_000)
  }
}
