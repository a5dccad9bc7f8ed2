import JingleCore
import Testing
import XMPPCore

@Suite struct XEP0261InBandTransportCodingTests {
  private func transport(_ attributes: String) throws -> InBandTransport {
    try InBandTransport(xml("<transport xmlns='urn:xmpp:jingle:transports:ibb:1' \(attributes)/>"))
  }

  /// XEP-0261, examples 1 and 3.
  private func example(_ action: String, blockSize: Int) -> String {
    """
    <jingle xmlns='urn:xmpp:jingle:1' action='\(action)' initiator='romeo@montague.lit/orchard' sid='a73sjjvkla37jfea'>
      <content creator='initiator' name='ex'>
        <description xmlns='urn:xmpp:example'/>
        <transport xmlns='urn:xmpp:jingle:transports:ibb:1' block-size='\(blockSize)' sid='ch3d9s71'/>
      </content>
    </jingle>
    """
  }

  @Test("Offer and answer of the examples agree on the smaller blocks, which the bytestream is opened with")
  func examples() throws {
    let offer = try #require(jingle(example("session-initiate", blockSize: 4096)).contents.first?.transport)
    let answer = try #require(jingle(example("session-accept", blockSize: 2048)).contents.first?.transport)
    #expect(offer == .inBand(InBandTransport(sid: "ch3d9s71", blockSize: 4096)))
    #expect(
      offer.element.serialized()
        == "<transport xmlns='urn:xmpp:jingle:transports:ibb:1' block-size='4096' sid='ch3d9s71'/>")
    let agreed = try #require(offer.inBand).agreed(with: #require(answer.inBand))
    #expect(agreed.open == InBandBytestream.Open(sid: "ch3d9s71", blockSize: 2048, carrier: .iq))
  }

  @Test(
    "The answer to an offer never has larger blocks", arguments: [(65535, 5760), (4096, 4096), (1024, 1024), (1, 1)])
  func answers(offered: Int, answered: Int) throws {
    let offer = InBandTransport(sid: "a", blockSize: offered, carrier: .message)
    let answer = offer.accepting()
    #expect(answer == InBandTransport(sid: "a", blockSize: answered, carrier: .message))
    #expect(try offer.agreed(with: answer) == answer)
    #expect(try InBandTransport(answer.element) == answer)
  }

  @Test("A peer that answers with larger blocks gets those that were offered")
  func larger() throws {
    let offer = InBandTransport(sid: "a", blockSize: 4096)
    #expect(try offer.agreed(with: InBandTransport(sid: "a", blockSize: 8192)).blockSize == 4096)
  }

  @Test("Messages that were offered become iq with a peer that does not know of the choice, and never the reverse")
  func carriers() throws {
    let offer = InBandTransport(sid: "a", blockSize: 4096, carrier: .message)
    #expect(try offer.agreed(with: InBandTransport(sid: "a", blockSize: 4096)).carrier == .iq)
    #expect(throws: StanzaError.self) { try InBandTransport(sid: "a").agreed(with: offer) }
    #expect(throws: StanzaError.self) { try offer.agreed(with: InBandTransport(sid: "b", carrier: .message)) }
  }

  @Test(
    "What is no such transport is refused",
    arguments: [
      "", "sid='a'", "block-size='1'", "sid='' block-size='1'", "sid='a' block-size='0'", "sid='a' block-size='65536'",
      "sid='a' block-size='-4096'", "sid='a' block-size='x'", "sid='a' block-size='1' stanza='presence'",
      "sid='\(String(repeating: "a", count: 257))' block-size='1'",
    ])
  func refused(attributes: String) {
    #expect(throws: StanzaError.self) { try transport(attributes) }
  }
}
