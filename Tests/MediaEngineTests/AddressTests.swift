import Foundation
import Testing

@testable import MediaEngine

@Suite("Addresses")
struct AddressTests {
  @Test(
    "that no host has, or that are no addresses, are refused of a peer",
    arguments: [
      "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "127.0.0.1", "127.1", "1",
      "0x7f.0.0.1", "::", "::1", "::ffff:192.0.2.1", "::192.0.2.1", "ff02::1", "fec0::1", "fe80::1", "fe80::1%lo",
      "2001:db8::1%eth0", "192.0.2.1%eth0", "192.0.2.1 ", "", "%", "%lo", "example.org", "192.0.2.256",
      "7f3c1b7e-1c2d-4e5f-8a9b-0c1d2e3f4a5b.local", String(repeating: "1", count: 10_000),
    ])
  func refused(address: String) {
    var rules = RemoteCandidateRules(localAddresses: ["192.0.2.7", "2001:db8::7"], servers: [])
    #expect(rules.take(candidate(address)) == nil)
    #expect(rules.refused == 1)
  }

  @Test("of hosts are taken", arguments: ["192.0.2.1", "10.0.0.1", "169.254.1.1", "2001:db8::1", "fd00::1", "64:ff9b::1"])
  func taken(address: String) {
    var rules = RemoteCandidateRules(localAddresses: ["192.0.2.7", "2001:db8::7"], servers: [])
    #expect(rules.take(candidate(address))?.address == address)
    #expect(rules.refused == 0)
  }

  @Test("of loopback are for agents that are bound to it")
  func loopback() {
    var rules = RemoteCandidateRules(localAddresses: ["127.0.0.1", "::1"], servers: [])
    #expect(rules.take(candidate("127.0.0.1")) != nil)
    #expect(rules.take(candidate("::1")) != nil)
    var mixed = RemoteCandidateRules(localAddresses: ["127.0.0.1", "192.0.2.1"], servers: [])
    #expect(mixed.take(candidate("127.0.0.1")) == nil)
  }

  @Test("that are link-local get the scope of this side, where there is just one")
  func scope() {
    var one = RemoteCandidateRules(localAddresses: ["fe80::7%eth0", "169.254.0.7"], servers: [])
    #expect(one.take(candidate("fe80::1"))?.address == "fe80::1%eth0")
    #expect(one.take(candidate("fe80::2%eth7"))?.address == "fe80::2%eth0")
    var two = RemoteCandidateRules(localAddresses: ["fe80::7%eth0", "fe80::7%eth1"], servers: [])
    #expect(two.take(candidate("fe80::1")) == nil)
  }

  @Test("of this side's own servers are refused, other ports of them not")
  func servers() {
    let turn = ICEServer(
      kind: .turn(overTCP: false, username: "u", password: "p"), address: "2001:db8:0::1", port: 3478, name: "turn")
    var rules = RemoteCandidateRules(localAddresses: ["2001:db8::7"], servers: [turn])
    #expect(rules.take(candidate("2001:db8::1", port: 3478)) == nil)
    #expect(rules.take(candidate("2001:db8::1", port: 49_152)) != nil)
  }

  @Test("come with ports, transports and components that can be used")
  func others() {
    var rules = RemoteCandidateRules(localAddresses: ["192.0.2.7"], servers: [])
    #expect(rules.take(candidate("192.0.2.1", port: 0)) == nil)
    #expect(rules.take(candidate("192.0.2.1", port: 0, .tcp("passive"))) == nil)
    #expect(rules.take(candidate("192.0.2.1", port: 0, .tcp("active")))?.port == 9)
    #expect(rules.take(candidate("192.0.2.1", .tcp("so"))) == nil)
    #expect(rules.take(candidate("192.0.2.1", .tcp("sideways"))) == nil)
    #expect(rules.take(candidate("192.0.2.1", component: 0)) == nil)
    #expect(rules.take(candidate("192.0.2.1", component: 3)) == nil)
    #expect(rules.take(candidate("192.0.2.1", kind: .prflx)) == nil)
    #expect(rules.refused == 7)
    #expect(rules.takenComponents == [1])
  }

  @Test("of RTCP are taken where it has a component of its own, and are nothing to blame where it has none")
  func control() {
    var one = RemoteCandidateRules(localAddresses: ["192.0.2.7"], servers: [])
    #expect(one.take(candidate("192.0.2.1", component: 2)) == nil)
    #expect(one.refused == 0 && one.takenComponents.isEmpty)
    var two = RemoteCandidateRules(localAddresses: ["192.0.2.7"], servers: [], componentCount: 2)
    #expect(two.take(candidate("192.0.2.1", component: 2)) != nil)
    #expect(two.take(candidate("192.0.2.1", component: 3)) == nil)
    #expect(two.refused == 1 && two.takenComponents == [2])
  }

  @Test("are counted, and are never more than 128")
  func bound() {
    var rules = RemoteCandidateRules(localAddresses: ["192.0.2.7"], servers: [])
    for _ in 0..<2 {
      for port in 1...1000 { _ = rules.take(candidate("192.0.2.1", port: UInt16(port))) }
    }
    #expect(rules.refused == 2 * 872)
  }

  @Test("of this machine are offered without those that tell too much or reach nobody")
  func usable() {
    let loopback = LocalAddress(text: "127.0.0.1", interface: "lo", isLoopback: true)
    let linkLocal = LocalAddress(text: "fe80::1", interface: "eth0", isLinkLocal: true)
    let ipv4 = LocalAddress(text: "192.0.2.1", interface: "eth0")
    let lasting = LocalAddress(text: "2001:db8::1", interface: "eth0")
    let temporary = LocalAddress(text: "2001:db8::abcd", interface: "eth0", isTemporary: true)
    let elsewhere = LocalAddress(text: "2001:db8:1::1", interface: "eth0")
    let tentative = LocalAddress(text: "2001:db8:2::1", interface: "eth0", isUnstable: true)
    #expect(LocalAddress.usable(of: [loopback]) == [loopback])
    #expect(LocalAddress.usable(of: [loopback, linkLocal]) == [linkLocal])
    #expect(LocalAddress.usable(of: [loopback, linkLocal, ipv4, lasting]) == [ipv4, lasting])
    #expect(LocalAddress.usable(of: [lasting, temporary, elsewhere, tentative]) == [temporary, elsewhere])
    #expect(linkLocal.scoped == "fe80::1%eth0")
    #expect(ipv4.scoped == "192.0.2.1")
  }

  @Test("of this machine are found")
  func machine() {
    let all = LocalAddress.all()
    #expect(all.contains { $0.text == "127.0.0.1" && $0.isLoopback })
    #expect(!LocalAddress.usable(of: all).isEmpty)
  }

  private func candidate(
    _ address: String, port: UInt16 = 1000, _ transport: ICECandidate.Transport = .udp, component: Int = 1,
    kind: ICECandidate.Kind = .host
  ) -> ICECandidate {
    ICECandidate(
      kind: kind, transport: transport, component: component, foundation: "1", priority: 1, address: address, port: port)
  }
}
