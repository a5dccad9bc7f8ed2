import Testing
import XMPPCore

@Suite struct XEP0334MessageHintsCodingTests {
  @Test("The hints of example 1 are read")
  func example() throws {
    let message = try Message(
      stanza(
        """
        <message from='romeo@montague.lit/laptop' to='juliet@capulet.lit/laptop'><body>V unir avtug'f pybnx</body>\
        <no-copy xmlns='urn:xmpp:hints'/><no-store xmlns='urn:xmpp:hints'/></message>
        """))
    #expect(message.hints == [.noCopy, .noStore])
  }

  @Test("Every hint is read back", arguments: MessageHint.allCases)
  func roundTrip(hint: MessageHint) {
    #expect(Message(payloads: [hint.element]).hints == [hint])
  }

  @Test(
    "Unknown hints, other namespaces' elements and those in errors do not count",
    arguments: [
      "<message><no-storage xmlns='urn:xmpp:hints'/></message>", "<message><store/></message>",
      "<message type='error'><store xmlns='urn:xmpp:hints'/></message>",
    ])
  func none(text: String) throws {
    #expect(try Message(stanza(text)).hints.isEmpty)
  }
}
