import CarillonTesting
import Foundation
import JingleCore
import Testing
import XMPPCore

@testable import Carillon

/// Thumbnails: announced, asked for and sent along.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct FileThumbnailTests {
  private static let alice = jid("alice@localhost/laptop")
  private static let bob = FileStage.bobsAddress

  private static let picture = FileThumbnail([UInt8](0..<200), mediaType: "image/png", width: 8, height: 6)

  @Test("A thumbnail is announced, and given to whom the file is offered, as long as it is")
  func thumbnail() async throws {
    let folders = try FileFolders()
    var file = OutgoingFile(path: try folders.make("photo", 1_000))
    file.thumbnail = Self.picture
    let seen = Log<FileThumbnail>()
    let told = Log<FileSummary.Thumbnail>()
    let stolen = Log<IQ>()
    let server = InMemoryServer()
    let inbox = folders.inbox
    var handlers = Client.Handlers()
    handlers.onFile = { offer in
      if let thumbnail = offer.file.thumbnail { told.append(thumbnail) }
      if let thumbnail = try await offer.thumbnail() { seen.append(thumbnail) }
      // Somebody else knows the name too.
      try await withScript(server, "mallory@localhost/x") { mallory in
        let cid = try #require(BitsOfBinary.ContentID(uri: told.entries.first?.uri ?? ""))
        mallory.link.send(IQ(id: "steal", to: Self.alice, .get(BitsOfBinary.request(cid))).element)
        stolen.append(try IQ(try await mallory.next { $0[attribute: "id"] == "steal" }))
      }
      try await offer.receive(into: inbox)
    }
    try await withFileClients(server, bob: handlers) { [file] alice, bob in
      try await alice.send(file, to: Self.bob)
      try await until { await alice.hasNoTransfers }
      let cid = try #require(BitsOfBinary.ContentID(uri: told.entries.first?.uri ?? ""))
      let late = await bob.ask(.get(BitsOfBinary.request(cid)), of: Self.alice, timeout: .seconds(10))
      if case .result = late { Issue.record("it is still there") }
    }
    #expect(seen.entries == [Self.picture])
    #expect(told.entries.map(\.mediaType) == ["image/png"] && told.entries.map(\.width) == [8])
    #expect(stolen.entries.count == 1 && stolen.entries.allSatisfy { $0.condition != nil })
  }

  @Test("A thumbnail that is another than its name says is refused, in an answer as in the offer")
  func forgedThumbnail() async throws {
    let folders = try FileFolders()
    var file = OutgoingFile(path: try folders.make("photo", 1_000))
    file.thumbnail = Self.picture
    let errors = Log<CallError>()
    var handlers = Client.Handlers()
    handlers.onFile = { offer in
      do { _ = try await offer.thumbnail() } catch let error as CallError { errors.append(error) }
      await offer.decline()
    }
    let server = InMemoryServer(rewriting: { stanza in
      stanza.changing("data", BitsOfBinary.namespace) { if !$0.text.isEmpty { $0.nodes = [.text("AAAA")] } }
        .changing("jingle", Jingle.namespace) { jingle in
          guard jingle[attribute: "action"] == "session-initiate" else { return }
          var forged = BitsOfBinary(Self.picture.bytes, type: "image/png").element
          forged.nodes = [.text("BBBB")]
          jingle.append(forged)
        }
    })
    try await withFileClients(server, bob: handlers) { [file] alice, _ in
      await #expect(throws: CallError.self) { try await alice.send(file, to: Self.bob) }
    }
    #expect(errors.entries.map(\.code) == [.protocolViolation])
  }

  @Test("A thumbnail that is sent along is not asked for")
  func inlineThumbnail() async throws {
    let data = BitsOfBinary([1, 2, 3], type: "image/png")
    let outcomes = Log<FileThumbnail?>()
    var handlers = Client.Handlers()
    handlers.onFile = { offer in
      do { outcomes.append(try await offer.thumbnail()) } catch { outcomes.append(nil) }
      await offer.decline()
    }
    try await withFileScript(bob: handlers) { alice, bob in
      var file = FileDescription.text("photo", [1])
      file.thumbnails = [Thumbnail(uri: data.cid.uri)].compactMap(\.self)
      var offer = Jingle(.sessionInitiate, sid: "s", contents: [.file("c", file)])
      offer.payloads = [data.element]
      try await alice.request(offer, to: Self.bob)
      _ = try await alice.jingle(.sessionTerminate)
      #expect(outcomes.entries == [FileThumbnail([1, 2, 3], mediaType: "image/png")])
      let isAsked = await alice.has { $0.first("data", BitsOfBinary.namespace) != nil }
      #expect(!isAsked)
      try await until { await bob.hasNoTransfers }
    }
  }

  @Test("A thumbnail that is too large, or of no type, is not offered")
  func badThumbnail() async throws {
    let folders = try FileFolders()
    let path = try folders.make("photo", 10)
    try await withFileClients(bob: .taking(into: folders.inbox)) { alice, _ in
      for (count, type) in [(65_537, "image/png"), (0, "image/png"), (1, "picture")] {
        let file = {
          var file = OutgoingFile(path: path)
          file.thumbnail = FileThumbnail([UInt8](repeating: 0, count: count), mediaType: type)
          return file
        }()
        let error = await #expect(throws: CallError.self) { try await alice.send(file, to: Self.bob) }
        #expect(error?.code == .input)
      }
    }
    #expect(folders.names.isEmpty)
  }
}
