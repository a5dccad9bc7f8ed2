import JingleCore
import Testing
import XMPPCore

@Suite struct XEP0176ICEUDPAddressCodingTests {
  static func element(_ ip: String, port: String = "3478") -> XMLElement {
    XMLElement(
      "candidate", namespace: ICETransport.namespace,
      attributes: [
        "component": "1", "foundation": "1", "generation": "0", "id": "a", "ip": ip, "port": port,
        "priority": "2130706431", "protocol": "udp", "type": "host",
      ])
  }

  /// The candidate as a transport takes it.
  func candidate(_ ip: String, port: String = "3478") throws -> ICECandidate? {
    let transport = try ICETransport(
      XMLElement("transport", namespace: ICETransport.namespace, children: [Self.element(ip, port: port)]))
    #expect(transport.candidates.count + transport.droppedCandidates == 1)
    return transport.candidates.first
  }

  @Test(arguments: [
    "192.0.2.1", "10.0.0.255", "127.0.0.1", "223.255.255.255", "2001:db8::9:1", "::1", "1:2:3:4:5:6:7:8", "1::",
    "fe80::1%eth0", "fe80::1%2", "::ffff:192.0.2.1", "2001:db8:0:0:0:0:192.0.2.1",
    "8f3c1f0e-5d2a-4c52-9a51-0f6a7f0c1d2e.local", "Phone.LOCAL",
  ])
  func `Addresses of one host are taken`(ip: String) throws {
    #expect(try candidate(ip)?.ip == ip)
  }

  @Test(arguments: [
    "host.example", "localhost", "example.local.org", ".local", "a/b.local", "224.0.0.1", "239.255.255.250",
    "255.255.255.255", "240.0.0.1", "0.0.0.0", "0.1.2.3", "ff02::1", "FF05::2", "::", "0:0:0:0:0:0:0:0",
    "::ffff:224.0.0.1", "::ffff:255.255.255.255", "::ffff:0.0.0.0", "256.0.0.1", "1.2.3", "1.2.3.4.5", "1.2.3.-4",
    "01234.1.1.1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", ":::", ":1", "1:", "12345::", "g::", "+1::",
    "fe80::1%", "1:2:3:4:5:6:7:1.2.3.4", "1.2.3.4::", "1::1:2:3:4:5:6:7:8", "[::1]", "http://192.0.2.1",
  ])
  func `Names, addresses of many hosts and malformed ones are dropped`(ip: String) throws {
    #expect(try candidate(ip) == nil)
  }

  @Test(arguments: ["0", "65536", "-1", "+80", "80 ", "", "999999999999999999999"])
  func `Ports that are none are dropped`(port: String) throws {
    #expect(try candidate("192.0.2.1", port: port) == nil)
  }

  @Test func `Of a thousand candidates some are kept, and of a thousand payload types those that can be`() throws {
    var transport = XMLElement("transport", namespace: ICETransport.namespace)
    var description = XMLElement(
      "description", namespace: RTPDescription.namespace, attributes: ["media": "audio"])
    for number in 0..<1000 {
      transport.append(Self.element("192.0.2.1", port: "\(number + 1)"))
      description.append(
        XMLElement("payload-type", namespace: RTPDescription.namespace, attributes: ["id": "\(number)", "name": "x"]))
    }
    let candidates = try ICETransport(transport)
    #expect(candidates.candidates.count == ICETransport.maximumCandidates)
    #expect(candidates.droppedCandidates == 1000 - ICETransport.maximumCandidates)
    let payloadTypes = try RTPDescription(description)
    #expect(payloadTypes.payloadTypes.count == 128)
    #expect(payloadTypes.droppedPayloadTypes == 1000 - 128)
  }

  @Test func `A megabyte of reason is cut`() throws {
    let text = String(repeating: "é", count: 500_000)
    let reason = XMLElement(
      "reason", namespace: Jingle.namespace,
      children: [
        XMLElement("success", namespace: Jingle.namespace), XMLElement("text", namespace: Jingle.namespace, text: text),
      ])
    let read = Jingle.Reason(reason)
    #expect(read.condition == .success)
    #expect(read.text?.unicodeScalars.count == Jingle.Reason.maximumTextLength)
  }
}
