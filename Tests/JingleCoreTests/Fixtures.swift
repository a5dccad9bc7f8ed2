import JingleCore
import XMPPCore

let romeo = JID(localpart: "romeo", domainpart: "montague.example", resourcepart: "orchard")
let juliet = JID(localpart: "juliet", domainpart: "capulet.example", resourcepart: "balcony")
let julietsPhone = JID(localpart: "juliet", domainpart: "capulet.example", resourcepart: "phone")
let tybalt = JID(localpart: "tybalt", domainpart: "capulet.example", resourcepart: "sword")

let sid = "a73sjjvkla37jfea"

/// A value from its XML text.
func xml(_ text: String) throws -> XMLElement {
  try XMLElement(parsing: text)
}

func jingle(_ text: String) throws -> Jingle {
  try Jingle(xml(text))
}

/// The first example of XEP-0166, §6.1.
let sessionInitiate = """
  <jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' initiator='romeo@montague.example/orchard'
          sid='a73sjjvkla37jfea'>
    <content creator='initiator' name='voice'>
      <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
        <payload-type id='96' name='speex' clockrate='16000'/>
        <payload-type id='97' name='speex' clockrate='8000'/>
        <payload-type id='18' name='G729'/>
        <payload-type id='0' name='PCMU' />
        <payload-type id='103' name='L16' clockrate='16000' channels='2'/>
        <payload-type id='98' name='x-ISAC' clockrate='8000'/>
      </description>
      <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='asd88fgpdd777uzjYhagZg' ufrag='8hhy'>
        <candidate component='1' foundation='1' generation='0' id='el0747fg11' ip='10.0.1.1' network='1' port='8998'
                   priority='2130706431' protocol='udp' type='host'/>
        <candidate component='1' foundation='2' generation='0' id='y3s2b30v3r' ip='192.0.2.3' network='1' port='45664'
                   priority='1694498815' protocol='udp' rel-addr='10.0.1.1' rel-port='8998' type='srflx'/>
      </transport>
    </content>
  </jingle>
  """

/// An XEP-0166 §6.5 answer to it.
let sessionAccept = """
  <jingle xmlns='urn:xmpp:jingle:1' action='session-accept' responder='juliet@capulet.example/balcony'
          sid='a73sjjvkla37jfea'>
    <content creator='initiator' name='voice'>
      <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
        <payload-type id='97' name='speex' clockrate='8000'/>
        <payload-type id='18' name='G729'/>
      </description>
      <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='YH75Fviy6338Vbrhrlp8Yh' ufrag='9uB6'>
        <candidate component='1' foundation='1' generation='0' id='or2ii2syr1' ip='192.0.2.1' network='0' port='3478'
                   priority='2130706431' protocol='udp' type='host'/>
      </transport>
    </content>
  </jingle>
  """

/// Every value that differs from `element` by one attribute or child taken away, doubled or spoilt.
func brokenTwins(of element: XMLElement) -> [XMLElement] {
  var twins: [XMLElement] = []
  let hostile = [
    "", " ", "-1", "+1", "0", "65536", "4294967296", "99999999999999999999999999", "NaN", "1\n2", "\u{0}", "é\u{301}",
    String(repeating: "x", count: 5000),
  ]
  for name in element.attributes.keys.sorted() {
    var twin = element
    twin[attribute: name] = nil
    twins.append(twin)
    for value in hostile {
      twin[attribute: name] = value
      twins.append(twin)
    }
  }
  for (index, node) in element.nodes.enumerated() {
    guard case .element(let child) = node else { continue }
    var twin = element
    twin.nodes.remove(at: index)
    twins.append(twin)
    twin = element
    twin.nodes.insert(node, at: index)
    twins.append(twin)
    twin = element
    twin.nodes += Array(repeating: node, count: 300)
    twins.append(twin)
    for brokenChild in brokenTwins(of: child) {
      twin = element
      twin.nodes[index] = .element(brokenChild)
      twins.append(twin)
    }
  }
  return twins
}
