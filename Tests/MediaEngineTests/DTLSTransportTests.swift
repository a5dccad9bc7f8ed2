import Testing

@testable import MediaEngine

@Suite("A DTLS association", .timeLimit(.minutes(1)))
struct DTLSTransportTests {
  @Test("is made by either end and gives both the same keys, mirrored", arguments: [DTLSRole.client, .server])
  func connects(first: DTLSRole) throws {
    let pair = try DTLSPair(roles: [first, first == .client ? .server : .client])
    pair.handshake()
    let materials = pair.ends.compactMap(\.material)
    try #require(materials.count == 2)
    #expect(materials[0].local == materials[1].remote)
    #expect(materials[0].remote == materials[1].local)
    #expect(materials[0].local != materials[0].remote)
    #expect(materials[0].local.count == 28)
    #expect(materials.map(\.profile) == [.aeadAES128GCM, .aeadAES128GCM])
    #expect(pair.ends.map(\.version) == ["DTLS 1.2", "DTLS 1.2"])
    #expect(pair.ends.allSatisfy { $0.transport?.timeoutDelay == nil })
  }

  @Test("falls back to the profile that both ends have", arguments: [0, 1])
  func fallsBack(poorer: Int) throws {
    var profiles = [SRTPProfile.offered, SRTPProfile.offered]
    profiles[poorer] = [.aes128CMSHA1_80]
    let pair = try DTLSPair(profiles: profiles)
    pair.handshake()
    let materials = pair.ends.compactMap(\.material)
    #expect(materials.map(\.profile) == [.aes128CMSHA1_80, .aes128CMSHA1_80])
    #expect(materials.first?.local == materials.last?.remote)
    #expect(materials.first?.local.count == 30)
  }

  @Test("is refused where no profile is shared")
  func refusesWithoutProfile() throws {
    let pair = try DTLSPair(profiles: [[.aes128CMSHA1_80], [.aeadAES128GCM]])
    pair.handshake()
    #expect(pair.ends.allSatisfy { $0.material == nil })
    #expect(pair.ends.contains { if case .noSRTPProfile = $0.error { true } else { false } })
  }

  // MARK: Fingerprints

  @Test("takes every known hash function's fingerprint", arguments: ["sha-256", "SHA-256", "sha-384", "sha-512"])
  func accepts(hash: String) throws {
    let certificates = [try DTLSCertificate(), try DTLSCertificate()]
    let fingerprint = try #require(CertificateFingerprint(of: certificates[1].certificate, hash: hash))
    #expect(fingerprint.hash == hash.lowercased())
    let told: [CertificateFingerprint] = [
      .init(hash: hash, bytes: fingerprint.bytes), .init(hash: "sha-3", bytes: [1]),
    ]
    let pair = try DTLSPair(fingerprints: [told, nil], certificates: certificates)
    pair.handshake()
    #expect(pair.ends.allSatisfy { $0.material != nil })
  }

  /// What can be wrong with the fingerprints that signalling brought.
  enum Flaw: CaseIterable, Sendable {
    case otherCertificate, lastByte, short, none, unknownHash, rightAndWrong
  }

  @Test("is refused by the end to which the certificate is unknown", arguments: Flaw.allCases, [DTLSRole.client, .server])
  func refuses(flaw: Flaw, role: DTLSRole) throws {
    let certificates = [try DTLSCertificate(), try DTLSCertificate()]
    let truth = certificates[1].fingerprint
    let told: [CertificateFingerprint] =
      switch flaw {
      case .otherCertificate: [try DTLSCertificate().fingerprint]
      case .lastByte: [.init(hash: "sha-256", bytes: truth.bytes.dropLast() + [truth.bytes[31] ^ 1])]
      case .short: [.init(hash: "sha-256", bytes: Array(truth.bytes.prefix(1)))]
      case .none: []
      case .unknownHash: [.init(hash: "md5", bytes: truth.bytes)]
      case .rightAndWrong: [truth, .init(hash: "sha-512", bytes: truth.bytes)]
      }
    let pair = try DTLSPair(
      roles: [role, role == .client ? .server : .client], fingerprints: [told, nil], certificates: certificates)
    pair.handshake()
    #expect(pair.ends.allSatisfy { $0.material == nil })
    guard case .fingerprintMismatch = pair.ends[0].error else {
      Issue.record("ended with \(String(describing: pair.ends[0].error))")
      return
    }
  }

  // MARK: The line

  @Test("is made though the first datagrams are lost", arguments: [1, 2, 3, 5])
  func recovers(lost: Int) throws {
    let pair = try DTLSPair()
    var left = lost
    pair.line = { datagram, _ in
      left -= 1
      return left >= 0 ? [] : [datagram]
    }
    pair.handshake()
    #expect(pair.ends.allSatisfy { $0.material != nil })
  }

  /// How a line can be bad without losing anything.
  enum Trouble: CaseIterable, Sendable {
    case duplicates, lateCopies, garbage, truncatedCopies
  }

  @Test("is made over a line that adds to what is sent", arguments: Trouble.allCases)
  func endures(trouble: Trouble) throws {
    let pair = try DTLSPair()
    var generator = Generator(seed: 3)
    var past: [[[UInt8]]] = [[], []]
    pair.line = { datagram, receiver in
      past[receiver].append(datagram)
      switch trouble {
      case .duplicates: return [datagram, datagram]
      case .lateCopies: return [datagram] + past[receiver]
      case .garbage: return (0..<50).map { _ in generator.garbage() } + [datagram]
      case .truncatedCopies: return datagram.indices.map { Array(datagram[..<$0]) } + [datagram]
      }
    }
    pair.handshake()
    #expect(pair.ends.allSatisfy { $0.material != nil })
    #expect(pair.ends[0].material?.local == pair.ends[1].material?.remote)
  }

  @Test("is made though datagrams overtake each other", arguments: 0..<4)
  func reordered(seed: Int) throws {
    let pair = try DTLSPair()
    var generator = Generator(seed: UInt64(seed))
    var held: [[UInt8]?] = [nil, nil]
    pair.line = { datagram, receiver in
      if let late = held[receiver] {
        held[receiver] = nil
        return [datagram, late]
      }
      guard generator.next() % 2 == 0 else { return [datagram] }
      held[receiver] = datagram
      return []
    }
    // What is held waits for the next datagram: a retransmission, if need be.
    pair.handshake()
    #expect(pair.ends.allSatisfy { $0.material != nil })
  }

  @Test("is not ended by what anyone on the path can send")
  func survives() throws {
    let pair = try DTLSPair()
    var past: [(datagram: [UInt8], receiver: Int)] = []
    pair.line = { datagram, receiver in
      past.append((datagram, receiver))
      return [datagram]
    }
    pair.handshake()
    var generator = Generator(seed: 5)
    for (datagram, receiver) in past {
      pair.receive(datagram, at: receiver)
      pair.receive(datagram, at: 1 - receiver)
      for length in datagram.indices { pair.receive(Array(datagram[..<length]), at: receiver) }
      for index in datagram.indices {
        var changed = datagram
        changed[index] ^= UInt8(1 << (generator.next() % 8))
        pair.receive(changed, at: receiver)
      }
    }
    for _ in 0..<2000 { pair.receive(generator.garbage(), at: 0) }
    // A fatal alert and a close_notify in the clear, as only the time before the keys allows them.
    for alert: [UInt8] in [[2, 40], [1, 0]] {
      pair.receive([21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2] + alert, at: 0)
    }
    pair.receive([], at: 0)
    pair.deliver()
    #expect(pair.ends.map(\.events.count) == [1, 1])

    pair.ends[1].transport?.close()
    pair.deliver()
    #expect(pair.ends[0].sawClose)
  }

  @Test("says goodbye, once")
  func closes() throws {
    let pair = try DTLSPair()
    pair.handshake()
    var datagrams = 0
    pair.line = { datagram, _ in
      datagrams += 1
      return [datagram]
    }
    pair.ends[0].transport?.close()
    pair.ends[0].transport?.close()
    pair.deliver()
    #expect(datagrams == 1)
    #expect(pair.ends[1].sawClose)
    #expect(!pair.ends[0].sawClose)
  }

  @Test("waits for a silent peer in bounded steps")
  func silentPeer() throws {
    let pair = try DTLSPair()
    var sent = 0
    pair.line = { _, _ in
      sent += 1
      return []
    }
    #expect(pair.ends[1].transport?.timeoutDelay == nil, "a server has nothing to repeat")
    let client = try #require(pair.ends[0].transport)
    client.start()
    client.start()
    for _ in 0..<100 {
      let delay = try #require(client.timeoutDelay)
      #expect(delay <= .seconds(2))
      client.timeout()  // before its time: nothing happens
    }
    pair.deliver()
    #expect(sent == 1)
    #expect(pair.ends[0].events.isEmpty)
  }
}
