import Carillon
import MediaCodecs
import Testing

@testable import CarillonCLI

@Suite struct CallRequestTests {
  @Test(
    "Every command is read",
    arguments: [
      (#"{"command":"mute"}"#, .mute(.audio)), (#"{"command":"mute","media":"audio"}"#, .mute(.audio)),
      (#" { "media" : "video" , "command" : "mute" } "#, .mute(.video)),
      (#"{"command":"unmute"}"#, .unmute(.audio)), (#"{"command":"unmute","media":"video"}"#, .unmute(.video)),
      (#"{"command":"hold"}"#, .hold), (#"{"command":"unhold"}"#, .unhold),
      (#"{"command":"addVideo","source":"bars"}"#, .addVideo(.bars())),
      (#"{"command":"addVideo","source":"none"}"#, .addVideo(.receiveOnly)),
      (
        #"{"command":"addVideo","source":"bars:1280x720@5","category":"slides"}"#,
        .addVideo(.bars(VideoSize(width: 1280, height: 720), framesPerSecond: 5), category: .slides)
      ),
      (
        #"{"command":"addVideo","source":"a b.mkv","size":"320x180"}"#,
        .addVideo(.file("a b.mkv"), size: VideoSize(width: 320, height: 180))
      ),
      (#"{"command":"removeVideo"}"#, .removeVideo(content: nil)),
      (#"{"command":"removeVideo","content":"vid\u00e9o"}"#, .removeVideo(content: "vidéo")),
      (#"{"command":"dtmf","digits":"12,3#*"}"#, .dtmf("12,3#*")),
      (#"{"command":"dtmf","digits":"abcd"}"#, .dtmf("ABCD")),
      (#"{"command":"restartICE"}"#, .restartICE), (#"{"command":"statistics"}"#, .statistics),
      (#"{"command":"hangUp"}"#, .hangUp), (#"{"command":"answer"}"#, .answer), (#"{"command":"decline"}"#, .decline),
    ] as [(String, CallRequest.Action)])
  func commands(line: String, action: CallRequest.Action) throws {
    #expect(try CallRequest(line: Array(line.utf8)) == CallRequest(action))
    let named = line.replacing("{", with: #"{"sid":"a7","#)
    #expect(try CallRequest(line: Array((named + "\r").utf8)) == CallRequest(action, sid: "a7"))
  }

  @Test(
    "What is malformed is refused, and says which command it was meant to be",
    arguments: [
      ("hold", nil, "JSON"), ("{", nil, "JSON"), (#"{"command":"hold"} x"#, nil, "JSON"), ("\u{0}", nil, "JSON"),
      (#"{"command":"hold""#, nil, "JSON"), (#"{command:hold}"#, nil, "JSON"),
      (#"{"command":"\ud800"}"#, nil, "string"),
      ("[]", nil, "object"), ("7", nil, "object"), ("null", nil, "object"), (#""hold""#, nil, "object"),
      (#"[{"command":"hold"}]"#, nil, "object"),
      ("{}", nil, "no \"command\""), (#"{"Command":"hold"}"#, nil, "no \"command\""),
      (#"{"command":7}"#, nil, "no string"), (#"{"command":null}"#, nil, "no string"),
      (#"{"command":["hold"]}"#, nil, "no string"),
      (#"{"command":"Hold"}"#, nil, "no command 'Hold'"), (#"{"command":""}"#, nil, "no command"),
      (#"{"command":"toggleMute"}"#, nil, "no command"),
      (#"{"command":"mute","media":"smell"}"#, "mute", "audio, video"),
      (#"{"command":"mute","media":1}"#, "mute", "string"),
      (#"{"command":"mute","medai":"video"}"#, "mute", "medai"),
      (#"{"command":"hold","media":"audio"}"#, "hold", "media"),
      (#"{"command":"hold","sid":5}"#, "hold", "string"), (#"{"command":"hold","sid":{"a":[{}]}}"#, "hold", "string"),
      (#"{"command":"addVideo"}"#, "addVideo", "source"), (#"{"command":"addVideo","source":""}"#, "addVideo", "empty"),
      (#"{"command":"addVideo","source":"-"}"#, "addVideo", "standard input"),
      (#"{"command":"addVideo","source":"bars@0"}"#, "addVideo", "bars"),
      (#"{"command":"addVideo","source":"bars","size":"640x360"}"#, "addVideo", "size"),
      (#"{"command":"addVideo","source":"a.mkv","size":"640"}"#, "addVideo", "size"),
      (#"{"command":"addVideo","source":"a.mkv","category":"cat"}"#, "addVideo", "slides"),
      (#"{"command":"removeVideo","content":true}"#, "removeVideo", "string"),
      (#"{"command":"dtmf"}"#, "dtmf", "digits"), (#"{"command":"dtmf","digits":""}"#, "dtmf", "digits"),
      (#"{"command":"dtmf","digits":"1x"}"#, "dtmf", "1x"), (#"{"command":"dtmf","digits":5}"#, "dtmf", "string"),
    ] as [(String, String?, String)])
  func malformed(line: String, command: String?, hint: String) throws {
    let failure = #expect(throws: RequestFailure.self) { try CallRequest(line: Array(line.utf8)) }
    #expect(failure?.code == "usage")
    #expect(failure?.command == command)
    #expect(failure?.message.contains(hint) == true, "\(failure?.message ?? "")")
  }

  @Test("What is not UTF-8, too long or deeply nested is refused", .timeLimit(.minutes(1)))
  func hostile() {
    var lines = [[UInt8]](
      [Array(#"{"command":"hold","sid":""#.utf8) + [0xC3, 0x28] + Array(#""}"#.utf8), [0xFF, 0xFE], [0x80]])
    let limit = CallRequest.maximumLineLength
    lines += [Array("[".utf8), Array(#"{"command":"#.utf8), Array(#"{"a":["#.utf8)].map { unit in
      Array(repeatElement(unit, count: limit / unit.count).joined())
    }
    for line in lines { #expect(throws: RequestFailure.self) { try CallRequest(line: line) } }
    let full = Array(#"{"command":"hold"}"#.utf8)
    let padding = [UInt8](repeating: UInt8(ascii: " "), count: limit - full.count)
    #expect(throws: Never.self) { try CallRequest(line: full + padding) }
    let failure = #expect(throws: RequestFailure.self) { try CallRequest(line: full + padding + [32]) }
    #expect(failure?.message.contains("64 KiB") == true)
  }

  @Test("Lines are cut wherever the pieces are cut, and one that is too long costs no other")
  func lines() {
    let input = Array("one\n\ntwo\r\n12345678\n123456789\nthree\nrest".utf8)
    for size in 1...input.count {
      var splitter = LineSplitter(maximumLength: 8)
      var lines: [LineSplitter.Line] = []
      for start in stride(from: 0, to: input.count, by: size) {
        lines += splitter.receive(input[start..<min(start + size, input.count)])
      }
      if let rest = splitter.finish() { lines.append(rest) }
      #expect(
        lines == [
          .text(Array("one".utf8)), .text([]), .text(Array("two\r".utf8)), .text(Array("12345678".utf8)), .tooLong,
          .text(Array("three".utf8)), .text(Array("rest".utf8)),
        ])
    }
    var splitter = LineSplitter(maximumLength: 8)
    #expect(splitter.receive(Array("whole\n".utf8)).count == 1)
    #expect(splitter.finish() == nil)
  }
}
