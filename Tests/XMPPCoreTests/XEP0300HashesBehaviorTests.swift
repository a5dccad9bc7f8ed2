import Testing
import XMPPCore

@Suite struct XEP0300HashesBehaviorTests {
  /// FIPS 180-4 and FIPS 202 by their published examples, and RFC 7693 appendix A.
  static let vectors: [(HashAlgorithm, String, String)] = [
    (.sha1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    (.sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    (.sha1, twoBlocks, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
    (.sha256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (.sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (.sha256, twoBlocks, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
    (
      .sha512, "abc",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
    ),
    (.sha3256, "", "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a"),
    (.sha3256, "abc", "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"),
    (.sha3256, twoBlocks, "41c0dba2a9d6240849100376a8235e2c82e1b9998a999e21db32dd97496d3376"),
    (
      .sha3512, "abc",
      "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
        + "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0"
    ),
    (.blake2b256, "", "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"),
    (.blake2b256, "abc", "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"),
    (
      .blake2b512, "abc",
      "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
        + "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"
    ),
  ]
  static let twoBlocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"

  @Test("Each function gives its specification's hashes", arguments: vectors)
  func vector(algorithm: HashAlgorithm, text: String, hash: String) {
    #expect(HashValue(algorithm, of: Array(text.utf8)).hexadecimal == hash)
  }

  @Test(
    "A million times the letter a, however it is cut",
    arguments: [
      (HashAlgorithm.sha1, "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
      (.sha256, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
      (.sha3256, "5c8875ae474a3634ba4fd55ec85bffd661f32aca75c6d699d0cdcb6c115891c1"),
      (.blake2b256, "0741850f36cba4259628355d1073e24ddb9ca0e1bfac36fd39ae5dc2101e23a4"),
    ])
  func million(algorithm: HashAlgorithm, hash: String) {
    var running = RunningHash([algorithm])
    let letters = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)
    var rest = letters[...]
    var count = 0
    while !rest.isEmpty {
      let piece = rest.prefix(count)
      piece.withUnsafeBytes { running.update($0) }
      rest = rest.dropFirst(piece.count)
      count = (count * 3 + 1) % 70_001
    }
    #expect(running.finish().map(\.hexadecimal) == [hash])
  }

  @Test func `All functions run along at once, each once, and nothing too`() {
    var running = RunningHash(HashAlgorithm.allCases.reversed() + [.sha256])
    running.update([])
    running.update(Array("a".utf8))
    running.update(Array("bc".utf8).span.bytes)
    let values = running.finish()
    #expect(values.map(\.algorithm) == HashAlgorithm.allCases)
    #expect(values == HashAlgorithm.allCases.map { HashValue($0, of: Array("abc".utf8)) })
    #expect(RunningHash([]).finish().isEmpty)
  }
}
