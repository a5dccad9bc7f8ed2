import Testing

@testable import CarillonCLI

@Suite struct KeyTests {
  @Test(
    "Each key has its meaning",
    arguments: [
      ("m", .toggleMute), ("h", .toggleHold), ("v", .toggleCamera), ("r", .restartICE), ("i", .statistics),
      ("q", .hangUp), ("0", .dtmf("0")), ("5", .dtmf("5")), ("9", .dtmf("9")), ("*", .dtmf("*")), ("#", .dtmf("#")),
    ] as [(UnicodeScalar, CallRequest.Action)])
  func keys(key: UnicodeScalar, action: CallRequest.Action) {
    for isRinging in [false, true] {
      #expect(KeyAction(key: UInt8(ascii: key), isRinging: isRinging) == .request(action))
    }
  }

  @Test("Two keys decide on a call that rings, and mean nothing else")
  func ringing() {
    #expect(KeyAction(key: UInt8(ascii: "a"), isRinging: true) == .request(.answer))
    #expect(KeyAction(key: UInt8(ascii: "d"), isRinging: true) == .request(.decline))
    #expect(KeyAction(key: UInt8(ascii: "a"), isRinging: false) == nil)
    #expect(KeyAction(key: UInt8(ascii: "d"), isRinging: false) == nil)
  }

  @Test("The question mark asks for help, and every key of the help is one")
  func help() {
    #expect(KeyAction(key: UInt8(ascii: "?"), isRinging: false) == .help)
    for key in UInt8.min...UInt8.max {
      guard KeyAction(key: key, isRinging: false) != nil else { continue }
      let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(key)
      let name = isDigit ? "0-9" : String(UnicodeScalar(key))
      #expect(KeyAction.callHelp.contains(name), "\(name)")
    }
  }

  @Test(
    "Other keys mean nothing",
    arguments: ["M", "A", "D", "x", " ", "\n", "\u{4}", "\u{1B}", "\u{7F}"] as [UnicodeScalar])
  func others(key: UnicodeScalar) {
    #expect(KeyAction(key: UInt8(ascii: key), isRinging: true) == nil)
  }

  @Test(
    "Arrows and the like are no keys, wherever they are cut",
    arguments: [
      ("1\u{1B}[A2", "12"), ("1\u{1B}[3~2", "12"), ("\u{1B}OP3", "3"), ("\u{1B}[1;5Cq", "q"), ("é1", "1"),
      ("\r\n\t4", "4"),
      ("\u{1B}\u{1B}[B5", "5"), ("a#*", "a#*"), ("\u{1B}hm", "m"),
    ])
  func sequences(input: String, keys: String) {
    var decoder = KeyDecoder()
    #expect(decoder.receive(Array(input.utf8)) == Array(keys.utf8))
  }

  @Test("A sequence may come in pieces, and a lone Escape takes nothing with it")
  func pieces() {
    var decoder = KeyDecoder()
    #expect(decoder.receive(Array("\u{1B}[".utf8)).isEmpty)
    #expect(decoder.receive(Array("3".utf8)).isEmpty)
    #expect(decoder.receive(Array("~7".utf8)) == Array("7".utf8))
    #expect(decoder.receive([0x1B]).isEmpty)
    #expect(decoder.receive(Array("h".utf8)) == Array("h".utf8))
  }
}
