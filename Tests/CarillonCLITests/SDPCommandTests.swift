import ArgumentParser
import Testing

@testable import CarillonCLI
@testable import JingleCore

@Suite struct SDPCommandTests {
  static let offer = """
    v=0\r\no=- 42 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=msid-semantic: WMS\r\nm=audio 9 RTP/AVP 0\r
    c=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendrecv\r\na=rtpmap:0 PCMU/8000\r
    """
  static let jingle = """
    <jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='42'>\
    <content creator='initiator' name='0' senders='both'>\
    <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'><payload-type clockrate='8000' id='0' name='PCMU'/>\
    </description></content></jingle>
    """
  static let candidate =
    #"{"candidate":"candidate:1 1 udp 7 192.0.2.1 5000 typ host generation 0 ufrag abcd","sdpMid":"0","usernameFragment":"abcd"}"#

  func command(_ arguments: String...) throws -> SDPCommand {
    try SDPCommand.parse(arguments)
  }

  @Test("The first character tells what is read")
  func detection() throws {
    #expect(try command().translate(Self.offer + "\n") == .init(language: .jingle, text: Self.jingle))
    #expect(try command().translate(Self.jingle) == .init(language: .sdp, text: Self.offer))
    #expect(try command().translate("\n <iq type='set'>\(Self.jingle)</iq>\n").text == Self.offer)
    #expect(try command("--to", "jingle").translate(Self.offer).language == .jingle)
  }

  @Test("Role, action and sid are the options', or follow from the offer")
  func options() throws {
    let offer = try SessionDescription(parsing: Self.offer)
    #expect(try command().translate(Self.offer, offer: offer).text.contains("action='session-accept' sid='42'"))
    #expect(try command("--role", "responder").translate(Self.offer).text.contains("action='session-accept'"))
    let added = try command("--role", "responder", "--action", "content-add", "--sid", "x").translate(Self.offer).text
    #expect(added.contains("action='content-add' sid='x'") && added.contains("creator='responder'"))
  }

  @Test("An answer without the offer's second medium rejects it")
  func answer() throws {
    let offer = try SessionDescription(parsing: Self.offer + "\nm=video 9 RTP/AVP 34\na=mid:1\n")
    let accept = Self.jingle.replacing("session-initiate", with: "session-accept")
    let answer = try command().translate(accept, offer: offer).text
    #expect(
      answer.contains("m=audio 9 RTP/AVP 0\r\n")
        && answer.hasSuffix("m=video 0 RTP/AVP 34\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=inactive\r"))
    let back = try command().translate(answer, offer: offer)
    #expect(back.warnings == ["The answer rejects 1."])
  }

  @Test("Candidates become a transport-info with the password that goes with them, and candidates again")
  func candidates() throws {
    let description = try SessionDescription(
      parsing: Self.offer + "\na=ice-ufrag:abcd\na=ice-pwd:secretsecretsecretsecr\n")
    let stanza = try command("--sid", "42").translate(Self.candidate + "\n", credentials: description).text
    #expect(stanza.contains("action='transport-info'") && stanza.contains("pwd='secretsecretsecretsecr' ufrag='abcd'"))
    #expect(try command().translate(stanza) == .init(language: .sdp, text: Self.candidate))
  }

  @Test(
    "What cannot be translated says why, with code 64 or 65",
    arguments: [
      ([], "", 65), ([], "hello", 65), ([], "v=1", 65), ([], "<a", 65), ([], "<a/>", 65), ([], "{}", 64),
      (["--sid", "1"], "{}", 65), (["--sid", "1"], #"{"candidate":"x","sdpMid":"0"}"#, 65),
      (["--to", "sdp"], offer, 64), (["--to", "jingle"], jingle, 64),
      ([], jingle.replacing("session-initiate", with: "session-info"), 65),
      ([], offer.replacing("m=audio 9", with: "m=audio 0"), 65),
    ] as [([String], String, Int32)])
  func failures(arguments: [String], input: String, code: Int32) throws {
    let command = try SDPCommand.parse(arguments)
    let failure = try #require(throws: CommandFailure.self) { try command.translate(input) }
    #expect(failure.exitCode == code && !failure.message.isEmpty)
  }

  @Test(
    "Options that make no sense are refused",
    arguments: [["--action", "session-terminate"], ["--role", "caller"], ["--to", "xml"], ["--sid", ""]])
  func options(arguments: [String]) {
    #expect(throws: (any Error).self) { try SDPCommand.parse(arguments) }
  }
}
