import ArgumentParser
import Carillon
import MediaCodecs
import Testing

@testable import CarillonCLI

@Suite struct ArgumentTests {
  @Test("What commands say of themselves has no breaks but those of paragraphs and examples, so that it fits any width")
  func discussions() {
    func check(_ command: any ParsableCommand.Type) {
      let lines = command.configuration.discussion.split(separator: "\n", omittingEmptySubsequences: false)
      for (line, next) in zip(lines, lines.dropFirst()) where !line.isEmpty && !next.isEmpty {
        #expect(next.hasPrefix("  "), "\(command): \(next)")
      }
      for subcommand in command.configuration.subcommands { check(subcommand) }
    }
    check(CarillonCommand.self)
  }

  @Test(
    "Durations are read as people write them",
    arguments: [
      ("8s", 8_000), ("1m30s", 90_000), ("500ms", 500), ("8", 8_000), ("2.5", 2_500), ("1h", 3_600_000),
      ("1h1m1s1ms", 3_661_001), ("0.5m", 30_000),
    ])
  func duration(text: String, milliseconds: Int) throws {
    #expect(try Duration(argument: text) == .milliseconds(milliseconds))
  }

  @Test(
    "What is no duration is refused",
    arguments: ["", "s", "0", "0s", "-1s", "8x", "8 s", "1m30", "1..5s", "8ss", "nan", "1e9s", "99999999999h", "٣s"])
  func brokenDuration(text: String) {
    #expect(throws: ValidationError.self) { try Duration(argument: text) }
  }

  @Test(
    "Hosts are read with and without ports and brackets",
    arguments: [
      ("example.org", "example.org", nil), ("example.org:5223", "example.org", 5223), ("[::1]", "::1", nil),
      ("[::1]:5222", "::1", 5222), ("::1", "::1", nil), ("10.77.0.1", "10.77.0.1", nil), ("h:65535", "h", 65535),
    ] as [(String, String, Int?)])
  func host(text: String, host: String, port: Int?) throws {
    #expect(try Client.ServerAddress(argument: text) == Client.ServerAddress(host: host, port: port))
  }

  @Test(
    "What is no host and port is refused",
    arguments: ["", ":5222", "h:", "h:0", "h:65536", "h:x", "[::1", "[::1]5222", "[]", "[::1]:", "a b"])
  func brokenHost(text: String) {
    #expect(throws: ValidationError.self) { try Client.ServerAddress(argument: text) }
  }

  @Test(
    "Audio sources are words or paths",
    arguments: [
      ("tone", .tone(hertz: 440)), ("tone:1000", .tone(hertz: 1000)), ("speech", .speech), ("silence", .silence),
      ("none", .none), ("./tone", .file("./tone")), ("a:b.wav", .file("a:b.wav")), ("music.ogg", .file("music.ogg")),
    ] as [(String, AudioArgument)])
  func audio(text: String, argument: AudioArgument) throws {
    #expect(try AudioArgument(argument: text) == argument)
  }

  @Test(
    "Sources that cannot be are refused",
    arguments: ["", "tone:", "tone:x", "tone:5", "tone:99999", "device", "device:a", "bars"])
  func brokenAudio(text: String) {
    #expect(throws: ValidationError.self) { try AudioArgument(argument: text) }
  }

  @Test(
    "Video sources are words, paths or standard input",
    arguments: [
      ("bars", .bars()), ("bars:1280x720", .bars(VideoSize(width: 1280, height: 720))),
      ("bars@25", .bars(framesPerSecond: 25)),
      ("bars:64x60@120", .bars(VideoSize(width: 64, height: 60), framesPerSecond: 120)), ("-", .standardInput),
      ("none", .receiveOnly), ("film.mkv", .file("film.mkv")), ("./bars", .file("./bars")),
      ("bars.webm", .file("bars.webm")),
      ("a:b@c.y4m", .file("a:b@c.y4m")),
    ] as [(String, VideoArgument)])
  func video(text: String, argument: VideoArgument) throws {
    #expect(try VideoArgument(argument: text) == argument)
  }

  @Test(
    "Video sources that cannot be are refused",
    arguments: [
      "", "bars:", "bars:640", "bars:640x", "bars:x360", "bars:0x0", "bars:63x60", "bars:64x59", "bars:16384x64",
      "bars:640x360x1", "bars:-640x360", "bars@", "bars@0", "bars@121", "bars@x", "bars@25@25", "device", "device:cam",
      "speech", "tone",
    ])
  func brokenVideo(text: String) {
    #expect(throws: ValidationError.self) { try VideoArgument(argument: text) }
  }

  @Test("A video file that is not there is told with its path")
  func missingVideo() throws {
    for path in ["/nonexistent.mkv", "/nonexistent.y4m"] {
      let error = #expect(throws: CallError.self) { try VideoArgument(argument: path).makeSource() }
      #expect(error?.message.contains(path) == true)
    }
  }

  @Test(
    "A recording's ending says how it is kept",
    arguments: [("a.wav", "wav"), ("d/b.OGG", "ogg"), ("/x/c.d.webm", "webm"), ("p.y4m", "y4m")])
  func recording(path: String, format: String) throws {
    let recording = try Recording(argument: path)
    #expect(recording.path == path)
    #expect(recording.format.rawValue == format)
  }

  @Test(
    "A recording without a known ending is refused", arguments: ["", "a", "a.mp3", ".wav", "d.wav/", "d.wav/x", "a."])
  func brokenRecording(path: String) {
    #expect(throws: ValidationError.self) { try Recording(argument: path) }
  }

  @Test("Further recordings of one run are numbered before the ending")
  func numberedRecording() throws {
    let recording = try Recording(argument: "a.b/x.y.wav")
    #expect((1...3).map { recording.numbered($0).path } == ["a.b/x.y.wav", "a.b/x.y-2.wav", "a.b/x.y-3.wav"])
  }

  @Test(
    "A recording that cannot be made is told before the call, with exit code 73",
    arguments: ["/nonexistent/x.wav", "/dev/null/x.wav"])
  func impossibleRecording(path: String) throws {
    let failure = #expect(throws: CommandFailure.self) { try Recording(argument: path).check() }
    #expect(failure?.exitCode == 73)
  }

  @Test("Commands take every option of the contract")
  func wholeCommandLine() throws {
    let common = [
      "--account", "alice@example.test/here", "--password-file", "p", "--host", "h:1", "--ca-file", "c", "--config",
      "f",
      "--json", "--log-level", "debug", "--audio", "none", "--video", "film.mkv", "--size", "320x180", "--record",
      "r.webm", "--record", "r.y4m", "--for", "8s", "--relay-only",
    ]
    let call = try #require(
      try CarillonCommand.parseAsRoot(["call", "bob@example.test", "--wait", "5s"] + common) as? CallCommand)
    #expect("\(call.peer)" == "bob@example.test")
    #expect(call.wait == .seconds(5))
    #expect(call.media.audio == .none)
    #expect(call.media.pictures.video == .file("film.mkv"))
    #expect(call.media.pictures.size == VideoSize(width: 320, height: 180))
    #expect(call.media.keeping.recordings.map(\.path) == ["r.webm", "r.y4m"])
    #expect(call.media.relayOnly)
    #expect(call.output.logLevel == .debug)
    #expect(call.accountOptions.account?.resourcepart == "here")
    #expect(
      try (CarillonCommand.parseAsRoot(["call", "b@x.test", "--dtmf", "1,#a"]) as? CallCommand)?.dtmf?.text == "1,#A")
    let answer = try #require(
      try CarillonCommand.parseAsRoot(
        ["answer", "--from", "a@x.test", "--from", "b@x.test", "--once", "--ring", "5s", "--dtmf", "42"] + common)
        as? AnswerCommand)
    #expect(answer.callers == [.address(try JID("a@x.test")), .address(try JID("b@x.test"))])
    #expect(answer.media.limit == .seconds(8))
    #expect(answer.ring == .seconds(5))
    #expect(answer.dtmf?.text == "42")
    let asking = try #require(
      try CarillonCommand.parseAsRoot(["answer", "--ask", "--json", "--from", "contacts"]) as? AnswerCommand)
    #expect(asking.ask)
    #expect(asking.callers == [.contacts])
  }

  @Test(
    "A command line that cannot be meant exits 64",
    arguments: [
      ["call"], ["call", "a@b@c@"], ["call", "example.test"], ["call", "b@x.test", "--for", "x"],
      ["call", "b@x.test", "--record", "x.mp3"], ["answer", "--unknown"], ["call", "b@x.test", "--password", "secret"],
      ["bench", "call", "--calls", "0"], ["call", "b@x.test", "--record", "x.y4m"],
      ["answer", "--record", "x.ogg", "--record", "x.webm"],
      ["call", "b@x.test", "--record", "a.wav", "--record", "b.wav"],
      ["call", "b@x.test", "--size", "640x360"], ["answer", "--size", "640x360", "--video", "bars"],
      ["answer", "--size", "640", "--video", "a.mkv"], ["demo", "--record", "x.y4m"], ["demo", "--video", "bars:1x1"],
      ["answer", "--ask", "--json", "--ring", "5s"], ["answer", "--ask", "--json", "--video", "-"],
      ["answer", "--ring", "0"], ["answer", "--from", "contacts", "--from", "a@x.test"],
      ["call", "b@x.test", "--dtmf", ""], ["call", "b@x.test", "--dtmf", "12x"], ["answer", "--dtmf", "+49"],
      ["call", "b@x.test", "--dtmf", String(repeating: "1", count: 65)],
      ["bench", "video", "--size", "1x1"], ["bench", "video", "--for", "1s"], ["bench", "rtp", "--packets", "1"],
    ])
  func usage(arguments: [String]) {
    let error = #expect(throws: (any Error).self) { try CarillonCommand.parseAsRoot(arguments) }
    #expect(error.map { CarillonCommand.exitCode(for: $0).rawValue } == 64)
  }
}
