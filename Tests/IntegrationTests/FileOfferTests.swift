import Foundation
import Testing

extension IntegrationTests {
  /// What is told of files before they are taken, and several files at once.
  @Suite(.serialized) struct FileOfferTests {
    private let alice = Rig.current.account()
    private let bob = Rig.current.account()

    private func makeFile(_ ending: String, _ bytes: Data) throws -> String {
      let path = Rig.current.file(ending)
      try bytes.write(to: URL(filePath: path))
      return path
    }

    private func receiving(_ inbox: String, _ options: String...) -> [String] {
      ["receive", "--into", inbox] + options + signingIn(bob + "/files")
    }

    private func sending(_ paths: String..., options: String...) -> [String] {
      ["send"] + paths + ["--to", bob + "/files"] + options + signingIn(alice)
    }

    @Test("A picture is offered with a small one and with words, where that is wanted", .timeLimit(.minutes(1)))
    func thumbnail() async throws {
      let (inbox, pictures) = (try makeFolder("inbox"), try makeFolder("pictures"))
      let bitmap = Data("P6\n640 320\n255\n".utf8) + Data(repeating: 200, count: 640 * 320 * 3)
      let path = try makeFile("ppm", bitmap)
      for options in [["--thumbnail", "--description", "Ein Bild"], []] {
        let receive = receiving(inbox, "--once", "--thumbnails", pictures)
        try await CarillonProcess.run(receive) { receiver in
          try await receiver.event("online")
          let send = sending(path) + options
          try await CarillonProcess.run(send, by: ["/usr/bin/env", "LC_ALL=de_AT.UTF-8", "LANGUAGE="]) { sender in
            let outcome = try await sender.outcome()
            #expect(outcome.exitCode == 0, "\(outcome.message)")
          }
          let outcome = try await receiver.outcome()
          #expect(outcome.exitCode == 0, "\(outcome.message)")
          let offered = try outcome.event("file.offered")
          if !options.isEmpty {
            #expect(offered.string("description") == "Ein Bild", "\(offered.line)")
            let told = try outcome.event("file.thumbnail")
            let thumbnail = try #require(told.string("path"))
            #expect(thumbnail.hasPrefix(pictures) && thumbnail.hasSuffix(".jpg"), "\(told.line)")
            let bytes = try #require(FileManager.default.contents(atPath: thumbnail))
            #expect(bytes.starts(with: [0xFF, 0xD8]) && told.number("bytes") == Double(bytes.count))
            #expect(offered.line.contains("\"width\":128") && offered.line.contains("\"height\":64"))
          } else {
            #expect(!offered.line.contains("thumbnail") && !offered.line.contains("description"), "\(offered.line)")
            #expect(!outcome.events.contains { $0.name == "file.thumbnail" })
          }
          #expect(try outcome.event("file.received").number("size") == Double(bitmap.count))
        }
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: pictures).count == 1)
    }

    @Test("A file that fails leaves the others, and its code is the command's", .timeLimit(.minutes(1)))
    func several() async throws {
      let inbox = try makeFolder("inbox")
      let (first, large, last) = (
        try makeFile("a", Data(count: 100)), try makeFile("b", Data(count: 3_000)), try makeFile("c", Data(count: 200))
      )
      try await CarillonProcess.run(receiving(inbox, "--max-size", "1K")) { receiver in
        try await receiver.event("online")
        for options in [[], ["--together"]] {
          let outcome = try await CarillonProcess.run(sending(first, large, last) + options)
          #expect(outcome.exitCode == 10, "\(outcome.message)")
          #expect(outcome.events.filter { $0.name == "file.sent" }.compactMap { $0.number("size") } == [100, 200])
          let errors = outcome.events.filter { $0.name == "error" }
          #expect(errors.map { $0.string("file") } == [large] && errors.first?.number("exitCode") == 10)
        }
        // Who goes on receiving does not end with it.
        let refusal = try await receiver.event("error")
        #expect(refusal.string("file") == URL(filePath: large).lastPathComponent && refusal.number("exitCode") == nil)
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: inbox).count == 4)
    }
  }
}
