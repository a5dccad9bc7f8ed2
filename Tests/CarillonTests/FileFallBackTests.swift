import CarillonTesting
import Foundation
import JingleCore
import Testing
import XMPPCore

@testable import Carillon

/// Ways that are closed one after the other.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct FileFallBackTests {
  /// A server through which some ways lead nowhere.
  private func server(without closed: Set<FileTransferWay>) -> InMemoryServer {
    InMemoryServer(rewriting: { stanza in
      var stanza = stanza
      // Whoever has no fingerprint offers no data channel; of the one who answers, so that the other can offer another.
      if closed.contains(.dataChannel), stanza[attribute: "to"] == "alice@localhost/laptop" {
        stanza.change("fingerprint", DTLSFingerprint.namespace) { $0.name = "nothing" }
      }
      if closed.contains(.socks5) {
        stanza.change("candidate", SOCKS5Transport.namespace) { $0[attribute: "port"] = "1" }
      }
      if closed.contains(.inBand) {
        stanza.change("open", InBandBytestream.namespace) { $0[attribute: "sid"] = "another" }
      }
      return stanza
    })
  }

  @Test(
    "What is closed is passed over, and said",
    arguments: [
      ([], [.dataChannel, .socks5, .inBand], .dataChannel),
      ([.dataChannel], [.dataChannel, .socks5, .inBand], .socks5),
      ([.socks5], [.socks5, .dataChannel], .dataChannel),
      ([.inBand], [.inBand, .socks5], .socks5),
      ([.dataChannel], [.dataChannel, .inBand], .inBand),
      ([.dataChannel, .socks5], [.dataChannel, .socks5, .inBand], .inBand),
      ([.inBand, .socks5], [.inBand, .socks5, .dataChannel], .dataChannel),
      ([.dataChannel, .socks5, .inBand], [.dataChannel, .socks5, .inBand], nil),
    ] as [(Set<FileTransferWay>, [FileTransferWay], FileTransferWay?)])
  func closed(_ closed: Set<FileTransferWay>, ways: [FileTransferWay], expected: FileTransferWay?) async throws {
    let folders = try FileFolders()
    let path = try folders.make("letter.txt", 100_001)
    try await withFilePair(folders, server(without: closed), limits: { $0.connection = .seconds(20) }) { pair in
      var file = OutgoingFile(path: path)
      file.ways = ways
      let events = pair.events
      let tried = Array(ways.prefix { closed.contains($0) })
      do {
        let receipt = try await pair.alice.send(file, to: FileStage.bobsAddress) { transfer in
          for await event in transfer.events { events.append(event) }
        }
        #expect(receipt.way == expected)
        try await pair.settle()
        #expect(try pair.received.entries[0].get().way == expected)
        #expect(FileManager.default.contentsEqual(atPath: path, andPath: folders.inbox + "/letter.txt"))
        #expect(events.entries.fallBacks.map(\.from) == tried)
      } catch let error as CallError {
        #expect(expected == nil && error.code == .connectivity, "\(error)")
        for way in ways { #expect(error.message.contains("\(way.rawValue): "), "\(error)") }
        try await pair.settle()
        #expect(pair.received.entries[0].error?.code == .connectivity, "\(pair.received.entries)")
        #expect(folders.names.isEmpty)
        #expect(events.entries.fallBacks.map(\.from) == Array(ways.dropLast()))
      }
      #expect(events.entries.fallBacks.allSatisfy { !$0.why.isEmpty })
    }
  }
}
