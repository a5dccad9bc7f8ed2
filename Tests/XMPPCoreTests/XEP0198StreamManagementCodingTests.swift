import Testing
import XMPPCore

@Suite struct XEP0198StreamManagementCodingTests {
  @Test(
    "What the server grants is read, and what cannot be read in it counts as not said",
    arguments: [
      ("<enabled xmlns='urn:xmpp:sm:3'/>", .init()),
      ("<enabled xmlns='urn:xmpp:sm:3' id='some-long-sm-id' resume='true'/>", .init(id: "some-long-sm-id")),
      ("<enabled xmlns='urn:xmpp:sm:3' id='x' resume='1'/>", .init(id: "x")),
      ("<enabled xmlns='urn:xmpp:sm:3' id='x'/>", .init()),
      ("<enabled xmlns='urn:xmpp:sm:3' id='x' resume='false'/>", .init()),
      ("<enabled xmlns='urn:xmpp:sm:3' resume='true'/>", .init()),
      ("<enabled xmlns='urn:xmpp:sm:3' id='' resume='true'/>", .init()),
      ("<enabled xmlns='urn:xmpp:sm:3' max='600'/>", .init(maximum: .seconds(600))),
      ("<enabled xmlns='urn:xmpp:sm:3' max='-1'/>", .init()),
      ("<enabled xmlns='urn:xmpp:sm:3' max='99999999999999999999'/>", .init()),
      (
        "<enabled xmlns='urn:xmpp:sm:3' id='x' location='[2001:41D0:1:A49b::1]:9222' resume='true'/>",
        .init(id: "x", location: .init(host: "2001:41D0:1:A49b::1", port: 9222))
      ),
      (
        "<enabled xmlns='urn:xmpp:sm:3' id='x' location='node3.example.org' resume='true'/>",
        .init(id: "x", location: .init(host: "node3.example.org", port: nil))
      ),
      ("<enabled xmlns='urn:xmpp:sm:3' location='node3:0'/>", .init()),
      ("<enabled xmlns='urn:xmpp:sm:3' location=''/>", .init()),
    ] as [(String, StreamManagement.Grant)])
  func grants(xml: String, grant: StreamManagement.Grant) throws {
    #expect(StreamManagement.Grant(try XMLElement(parsing: xml)) == grant)
  }

  @Test("An id that is longer than any may be is none")
  func endlessID() throws {
    let enabled = XMLElement(
      "enabled", namespace: StreamManagement.namespace,
      attributes: ["resume": "true", "id": String(repeating: "x", count: 4001)])
    #expect(StreamManagement.Grant(enabled) == .init())
  }

  @Test("Nothing else is a grant", arguments: ["<failed xmlns='urn:xmpp:sm:3'/>", "<enabled xmlns='urn:xmpp:sm:2'/>"])
  func others(xml: String) throws {
    #expect(StreamManagement.Grant(try XMLElement(parsing: xml)) == nil)
  }

  @Test("Who acknowledges too much is told how much, and how much it was sent")
  func farewell() {
    #expect(
      StreamFailure.handledTooMany(10, sent: 8).farewell
        == "<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
        + "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='10' send-count='8'/></stream:error></stream:stream>")
  }
}
