import Testing
import XMPPCore

@Suite struct XEP0300HashesCodingTests {
  private func hashes(_ inside: String) throws -> Hashes {
    Hashes(in: try XMLElement(parsing: "<file xmlns='urn:x'>\(inside)</file>"))
  }

  @Test func `The examples are read: a hash, two hashes, a function alone`() throws {
    let sha1 = "<hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>2AfMGH8O7UNPTvUVAM9aK13mpCY=</hash>"
    let sha256 =
      "<hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>2XarmwTlNxDAMkvymloX3S5+VbylNrJt/l5QyPa+YoU=</hash>"
    let one = try hashes(sha256)
    #expect(one.values.map(\.algorithm) == [.sha256])
    #expect(one[.sha256]?.hexadecimal.hasPrefix("d976ab9b04e53710c0324bf29a5a17dd") == true)
    #expect(try one.elements == [XMLElement(parsing: sha256)])

    let two = try hashes(sha1 + sha256)
    #expect(two.values.map(\.algorithm) == [.sha1, .sha256])
    #expect(two.strongest?.algorithm == .sha256)
    #expect(try two.elements == [XMLElement(parsing: sha1), XMLElement(parsing: sha256)])

    let used = try hashes("<hash-used xmlns='urn:xmpp:hashes:2' algo='sha-256'/>")
    #expect(used == Hashes(announced: [.sha256]))
    #expect(try used.elements == [XMLElement(parsing: "<hash-used xmlns='urn:xmpp:hashes:2' algo='sha-256'/>")])
  }

  @Test func `A hash without a value is a function that is going to be used`() throws {
    #expect(try hashes("<hash xmlns='urn:xmpp:hashes:2' algo='sha3-512'> </hash>") == Hashes(announced: [.sha3512]))
  }

  @Test func `What is written is read as it was`() {
    for algorithm in HashAlgorithm.allCases {
      let value = HashValue(algorithm, of: Array("abc".utf8))
      for hashes in [Hashes([value]), Hashes(announced: [algorithm])] {
        #expect(Hashes(in: XMLElement("file", namespace: "urn:x", children: hashes.elements)) == hashes)
      }
    }
  }

  @Test(
    "Functions are known by what others call them, too",
    arguments: [
      ("SHA-256", HashAlgorithm.sha256), ("sha1", .sha1), ("id-blake2b256", .blake2b256),
      ("id-blake2b512", .blake2b512), ("blake2b-512", .blake2b512), ("sha3-256", .sha3256),
    ])
  func names(name: String, algorithm: HashAlgorithm) {
    #expect(HashAlgorithm(named: name) == algorithm)
  }

  @Test func `Functions that are not known are told by name, and their values ignored`() throws {
    let read = try hashes(
      """
      <hash xmlns='urn:xmpp:hashes:2' algo='md5'>kAFQmDzST7DWlj99KOF/cg==</hash>
      <hash xmlns='urn:xmpp:hashes:2' algo='sha-224'>!</hash>
      <hash-used xmlns='urn:xmpp:hashes:2' algo='md5'/>
      <hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>2AfMGH8O7UNPTvUVAM9aK13mpCY=</hash>
      """)
    #expect(read.unknown == ["md5", "sha-224"])
    #expect(read.values.map(\.algorithm) == [.sha1])
    #expect(read.dropped == 0)
  }

  @Test(arguments: [
    "<hash xmlns='urn:xmpp:hashes:2'>2AfMGH8O7UNPTvUVAM9aK13mpCY=</hash>",
    "<hash xmlns='urn:xmpp:hashes:2' algo=''>2AfMGH8O7UNPTvUVAM9aK13mpCY=</hash>",
    "<hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>2AfMGH8O7UNPTvUVAM9aK13mpA==</hash>",
    "<hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>2AfMGH8O7UNPTvUVAM9aK13mpCYA</hash>",
    "<hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>2AfMGH8O7UNPTvUVAM9aK13mpCY</hash>",
    "<hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>2AfMGH8O7UNPTvU VAM9aK13mp!=</hash>",
    "<hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>552da749930852c69ae5d2141d3766b1</hash>",
    "<hash xmlns='urn:xmpp:hashes:2' algo='sha-512'>2XarmwTlNxDAMkvymloX3S5+VbylNrJt/l5QyPa+YoU=</hash>",
    "<hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>\(String(repeating: "A", count: 100_000))</hash>",
    "<hash xmlns='urn:xmpp:hashes:2' algo='\(String(repeating: "x", count: 65))'>AAAA</hash>",
    "<hash-used xmlns='urn:xmpp:hashes:2'/>",
  ])
  func `A malformed hash is left out, and counted`(text: String) throws {
    let read = try hashes(text)
    #expect(read.isEmpty)
    #expect(read.dropped == 1)
    #expect(read.unknown.isEmpty)
  }

  @Test func `Of two values of one function the first holds`() throws {
    let first = HashValue(.sha256, of: [1])
    let second = HashValue(.sha256, of: [2])
    let elements = Hashes([first]).elements + Hashes([second]).elements
    let read = Hashes(in: XMLElement("file", namespace: "urn:x", children: elements))
    #expect(read.values == [first])
    #expect(read.dropped == 1)

    var hashes = Hashes([first])
    hashes.formUnion(Hashes([second, HashValue(.sha1, of: [2])], announced: [.sha256, .sha512]))
    #expect(hashes == Hashes([first, HashValue(.sha1, of: [2])], announced: [.sha512]))
  }

  @Test func `What is computed on the way is what can be trusted, or else all that was told`() {
    let weak = HashValue(.sha1, of: [1])
    let strong = HashValue(.sha256, of: [1])
    #expect(Hashes([weak, strong], announced: [.sha512]).algorithms == [.sha256])
    #expect(Hashes([weak], announced: [.sha512]).algorithms == [.sha1, .sha512])
    #expect(Hashes([weak]).algorithms == [.sha1])
    #expect(Hashes(announced: [.sha512, .sha1]).algorithms == [.sha512, .sha1])
    #expect(Hashes().algorithms.isEmpty)
  }

  @Test func `A value takes the place of its announcement`() {
    var hashes = Hashes(announced: [.sha256, .sha1])
    hashes.formUnion(Hashes([HashValue(.sha256, of: [1])]))
    #expect(hashes.announced == [.sha1])
    #expect(hashes.values.count == 1)
  }

  @Test func `Hashes are bounded`() {
    let many = (0..<1000).map {
      XMLElement("hash-used", namespace: Hashes.namespace, attributes: ["algo": "unknown-\($0)"])
    }
    let read = Hashes(in: XMLElement("file", namespace: "urn:x", children: many))
    #expect(read.unknown.count == Hashes.maximumCount)
    #expect(read.dropped == 1000 - Hashes.maximumCount)
  }

  @Test func `The strongest hash is the one to trust, and SHA-1 only where there is no other`() {
    let all = HashAlgorithm.allCases.map { HashValue($0, of: [1]) }
    #expect(Hashes(all).strongest?.algorithm == .sha512)
    #expect(Hashes(all.filter { $0.algorithm.length < 64 }).strongest?.algorithm == .sha256)
    #expect(Hashes(all.filter { $0.algorithm.length < 64 }).algorithms == [.sha256])
    #expect(Hashes([HashValue(.sha1, of: [1])]).strongest?.algorithm.isTrusted == false)
    #expect(HashAlgorithm.allCases.filter { !$0.isTrusted } == [.sha1])
    #expect(HashAlgorithm.allCases == HashAlgorithm.allCases.sorted())
  }

  @Test func `Support is told by features`() {
    #expect(HashAlgorithm.features.contains("urn:xmpp:hashes:2"))
    #expect(HashAlgorithm.features.contains("urn:xmpp:hash-function-text-names:sha3-256"))
    #expect(HashAlgorithm.supported(by: HashAlgorithm.features) == Set(HashAlgorithm.allCases))
    let example = [
      "urn:xmpp:hashes:2", "urn:xmpp:hash-function-text-names:sha-256", "urn:xmpp:hash-function-text-names:sha3-256",
      "urn:xmpp:hash-function-text-names:md5", "sha-1",
    ]
    #expect(HashAlgorithm.supported(by: example) == [.sha256, .sha3256])
  }
}
