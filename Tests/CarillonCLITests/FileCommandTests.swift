import ArgumentParser
import Foundation
import Testing

@testable import Carillon
@testable import CarillonCLI

@Suite struct FileCommandTests {
  @Test("The bar bears whatever a peer says of the size, and what is there when it is more", arguments: [0.03, 1e12])
  func bar(rate: Double) {
    for (bytes, size) in [(1, Int64.max), (10, 1), (1, 0)] as [(Int64, Int64)] {
      let bar = FileReporter.bar("film", FileProgress(bytes: bytes, size: size, bytesPerSecond: rate), width: 80)
      #expect(bar.contains("film") && bar.count <= 80)
    }
    let slow = FileReporter.bar("film", FileProgress(bytes: 1, size: .max, bytesPerSecond: 0.03), width: 80)
    #expect(slow.contains("99:59:59 left"))
  }

  /// A folder that is gone at the end.
  private final class Folder {
    let path = NSTemporaryDirectory() + "carillon-send-\(UUID().uuidString)"

    init(_ files: String...) throws {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      for file in files {
        let url = URL(fileURLWithPath: "\(path)/\(file)")
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(file.utf8).write(to: url)
      }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }
  }

  @Test("A folder stands for its files, with those of its folders, without links, pipes and what is hidden")
  func folders() throws {
    let folder = try Folder("b", "a", "sub/c", ".hidden", ".git/d", "other/e")
    try FileManager.default.createSymbolicLink(atPath: folder("link"), withDestinationPath: "/etc/passwd")
    try FileManager.default.createSymbolicLink(atPath: folder("loop"), withDestinationPath: folder.path)
    mkfifo(folder("pipe"), 0o600)
    let found = try FilesToSend([folder.path, folder("a")])
    #expect(found.paths == [folder("a"), folder("b"), folder("other/e"), folder("sub/c"), folder("a")])
    #expect(
      found.skipped == ["\(folder("link")): a link", "\(folder("loop")): a link", "\(folder("pipe")): no regular file"])
    #expect(try FilesToSend([folder.path + "/sub/"]).paths == [folder("sub/c")])
  }

  @Test("A link that is named itself is followed")
  func links() throws {
    let folder = try Folder("a")
    try FileManager.default.createSymbolicLink(atPath: folder("link"), withDestinationPath: "a")
    #expect(try FilesToSend([folder("link")]).paths == [folder("link")])
  }

  @Test("What is not there, is no file or holds none is told before anything is sent")
  func unsendable() throws {
    let folder = try Folder("a", "sub/.hidden")
    mkfifo(folder("pipe"), 0o600)
    for (name, words) in [("absent", "There is no"), ("pipe", "no regular file"), ("sub", "holds no files")] {
      do {
        _ = try FilesToSend(name == "sub" ? [folder(name)] : [folder("a"), folder(name)])
        Issue.record("\(name) was taken")
      } catch let failure as CommandFailure {
        #expect(failure.code == "input" && failure.exitCode == 1 && failure.message.contains(words))
      }
    }
    #expect(try FilesToSend([folder("a"), folder("sub")]).skipped == ["\(folder("sub")): holds no files"])
  }

  @Test("What may not be read is told before anything is sent", .enabled(if: geteuid() != 0, "root reads all"))
  func unreadable() throws {
    let folder = try Folder("a", "secret", "sub/b")
    chmod(folder("secret"), 0)
    #expect(throws: CommandFailure.self) { try FilesToSend([folder("a"), folder("secret")]) }
    #expect(throws: CommandFailure.self) { try FilesToSend([folder.path]) }
    chmod(folder("sub"), 0)
    defer { chmod(folder("sub"), 0o700) }
    #expect(throws: CommandFailure.self) { try FilesToSend([folder("sub")]) }
  }

  @Test(
    "Standard input is sent alone, and needs a name",
    arguments: [
      (["-"], false), (["-", "--name", "x"], true), (["-", "a", "--name", "x"], false), (["a", "-"], false),
      (["a", "b", "--name", "x"], false), (["a", "--name", "x"], true), (["a", "b"], true),
    ])
  func standardInput(arguments: [String], isValid: Bool) {
    let all = arguments + ["--to", "bob@example.test"]
    #expect(((try? SendCommand.parse(all)) != nil) == isValid)
    if !isValid {
      do { _ = try SendCommand.parse(all) } catch { #expect(SendCommand.exitCode(for: error).rawValue == 64) }
    }
  }

  @Test(
    "The user's languages are the locale's, or gettext's list",
    arguments: [
      ([:], []), (["LANG": "C.UTF-8"], []), (["LANG": "POSIX", "LANGUAGE": "de"], []),
      (["LANG": "de_AT.UTF-8"], ["de-AT"]),
      (["LANG": "de_AT", "LC_MESSAGES": "fr_FR@euro"], ["fr-FR"]),
      (["LC_ALL": "pt_BR", "LC_MESSAGES": "fr"], ["pt-BR"]),
      (["LC_ALL": "", "LANG": "sv"], ["sv"]), (["LANG": "sv_SE", "LANGUAGE": "sv:de_DE::en"], ["sv", "de-DE", "en"]),
      (["LANG": "../../x"], []), (["LANG": String(repeating: "x", count: 400)], []),
    ] as [([String: String], [String])])
  func languages(environment: [String: String], languages: [String]) {
    #expect(UserLanguages.languages(in: environment) == languages)
  }

  @Test("Thumbnails are images, are put beside others, for this user alone")
  func thumbnails() throws {
    let folder = try Folder("photo.jpg.png")
    let pictures = ThumbnailFolder(path: folder.path)
    let picture = FileThumbnail([1, 2, 3], mediaType: "image/PNG; x=y")
    let path = try pictures.keep(picture, of: "photo.jpg")
    #expect(path == folder("photo.jpg (1).png"))
    #expect(FileManager.default.contents(atPath: path) == Data([1, 2, 3]))
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
    try FileManager.default.createSymbolicLink(atPath: folder("link.png"), withDestinationPath: "/nowhere/x")
    #expect(try pictures.keep(picture, of: "link") == folder("link (1).png"))
    for type in ["text/html", "image/svg+xml", "application/x-sh"] {
      #expect(throws: CommandFailure.self) {
        try pictures.keep(FileThumbnail([1], mediaType: type), of: "photo.jpg")
      }
    }
    #expect(throws: CommandFailure.self) { try ThumbnailFolder(path: folder("absent")).keep(picture, of: "photo.jpg") }
    let long = String(repeating: "ä", count: 100)
    for _ in 0..<2 { _ = try pictures.keep(picture, of: long) }
  }

  @Test("What is no picture is offered without one")
  func unpictured() async throws {
    let folder = try Folder("letter")
    #expect(await OutgoingFile(path: folder("letter")).pictured().thumbnail == nil)
    #expect(await OutgoingFile(path: folder("absent")).pictured().thumbnail == nil)
    let bitmap = "P6\n200 100\n255\n" + String(repeating: "rgb", count: 200 * 100)
    try Data(bitmap.utf8).write(to: URL(fileURLWithPath: folder("picture")))
    let picture = await OutgoingFile(path: folder("picture")).pictured().thumbnail
    #expect(picture?.mediaType == "image/jpeg" && picture?.width == 128 && picture?.height == 64)
  }

  @Test(
    "Words about files are neither none nor too many",
    arguments: [
      ("", false), ("A", true), (String(repeating: "ä", count: 1_024), true),
      (String(repeating: "a", count: 1_025), false),
    ])
  func description(text: String, isValid: Bool) {
    let arguments = ["a", "b", "--to", "bob@example.test", "--description", text]
    #expect(((try? SendCommand.parse(arguments)) != nil) == isValid)
  }

  @Test("Standard output takes one file", arguments: [(["--once"], true), ([], false)])
  func standardOutput(arguments: [String], isValid: Bool) {
    #expect(((try? ReceiveCommand.parse(["--into", "-"] + arguments)) != nil) == isValid)
  }

  @Test(
    "A file's failures have the exit codes of the command's contract",
    arguments: [
      (.declined, 10), (.busy, 11), (.noAnswer, 12), (.nothingInCommon, 13), (.connectivity, 14), (.corrupt, 65),
      (.serverUnreachable, 69), (.output, 73), (.timedOut, 75), (.protocolViolation, 76), (.authentication, 77),
      (.configuration, 78), (.input, 1), (.failed, 1),
    ] as [(CallError.Code, Int32)])
  func exitCodes(code: CallError.Code, status: Int32) {
    #expect(CommandFailure(CallError(code, "")).exitCode == status)
  }

  // MARK: Standard input

  private func openPipe() -> (read: Int32, write: FileHandle) {
    var ends: [Int32] = [-1, -1]
    #expect(pipe(&ends) == 0)
    return (ends[0], FileHandle(fileDescriptor: ends[1], closeOnDealloc: true))
  }

  @Test("Bytes come as they are written, whole, and end where the input does", .timeLimit(.minutes(1)))
  func bytes() async throws {
    let (read, write) = openPipe()
    defer { close(read) }
    let sent = Data((0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 5) })
    let writer = Thread {
      try? write.write(contentsOf: sent)
      try? write.close()
    }
    writer.start()
    var received = Data()
    for try await chunk in StandardInputBytes(file: read) { received += chunk }
    #expect(received == sent)
  }

  @Test("Who waits for input that does not come can be stopped", .timeLimit(.minutes(1)))
  func cancellation() async throws {
    let (read, write) = openPipe()
    defer { close(read) }
    try write.write(contentsOf: Data([1]))
    let (chunks, told) = AsyncStream.makeStream(of: [UInt8].self)
    let task = Task {
      for try await chunk in StandardInputBytes(file: read) { told.yield(chunk) }
    }
    for await chunk in chunks {
      #expect(chunk == [1])
      break
    }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    try write.close()
  }

  @Test("What cannot be read says why", .timeLimit(.minutes(1)))
  func unreadableInput() async throws {
    let folder = try Folder("a")
    let directory = open(folder.path, O_RDONLY)
    defer { close(directory) }
    do {
      for try await _ in StandardInputBytes(file: directory) { Issue.record("a folder has bytes") }
      Issue.record("a folder was read")
    } catch let error as CallError {
      #expect(error.code == .input)
    }
  }

  @Test("What is received goes to a pipe whole, and who waits for its reader can be stopped", .timeLimit(.minutes(1)))
  func outputBytes() async throws {
    let sent = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 5) }
    func chunks() -> AsyncThrowingStream<[UInt8], any Error> {
      AsyncThrowingStream { continuation in
        continuation.yield(sent)
        continuation.yield(sent)
        continuation.finish()
      }
    }
    let (read, write) = openPipe()
    async let received = { () -> Data in
      var received = Data()
      for try await chunk in StandardInputBytes(file: read) { received += chunk }
      return received
    }()
    try await StandardOutputBytes(file: write.fileDescriptor).write(chunks())
    try write.close()
    #expect(try await received == Data(sent + sent))
    close(read)

    let (full, unread) = openPipe()
    let task = Task { try await StandardOutputBytes(file: unread.fileDescriptor).write(chunks()) }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    close(full)
    _ = signal(SIGPIPE, SIG_IGN)
    do {
      try await StandardOutputBytes(file: unread.fileDescriptor).write(chunks())
      Issue.record("nobody reads")
    } catch let error as CallError {
      #expect(error.code == .output)
    }
    try unread.close()
  }

  @Test("Of a file that is standard input the size is known, and of a pipe it is not")
  func size() throws {
    let folder = try Folder("abcdef")
    let file = open(folder("abcdef"), O_RDONLY)
    defer { close(file) }
    lseek(file, 2, SEEK_SET)
    #expect(StandardInputBytes.size(file: file) == 4)
    let (read, write) = openPipe()
    defer { close(read) }
    #expect(StandardInputBytes.size(file: read) == nil)
    try write.close()
  }
}
