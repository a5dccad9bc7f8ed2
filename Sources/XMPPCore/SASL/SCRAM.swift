import Crypto
import FoundationEssentials

/// The client's side of a SCRAM authentication: proves that we know the password without showing it, and demands the
/// same proof from the server.
///
/// Send `clientFirst`; give the server's challenge to `clientFinal(answering:)` and send what it returns; give the
/// server's last message to `verify(_:)`. Only after that is the server to be trusted.
///
/// - Specification: RFC 5802 §5, RFC 7677
package struct SCRAM: Sendable {
  package enum Hash: Sendable {
    case sha1, sha256
  }

  /// How the authentication is tied to the TLS connection.
  package enum Binding: Hashable, Sendable {
    /// `n`: we cannot, or the server's types are unknown to us.
    case unsupported
    /// `y`: we could, but the server does not offer it.
    case notOffered
    case bound(ChannelBinding)
  }

  /// Why a server's message cannot be answered or believed.
  package enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
    case malformed(String)
    /// The server asks for more work than any honest one.
    case tooManyIterations(Int)
    case nonceMismatch
    /// The server's own word for why it refused (`e=`).
    case refused(String)
    /// The server does not know the password either.
    case wrongServerSignature

    package var description: String {
      switch self {
      case .malformed(let what): "its SCRAM message has no valid \(what)"
      case .tooManyIterations(let count): "it asks for \(count) SCRAM iterations, more than the \(SCRAM.maximumIterations) allowed"
      case .nonceMismatch: "its SCRAM nonce does not continue ours"
      case .refused(let reason): "SCRAM error \(Printable.shortened(reason))"
      case .wrongServerSignature: "its SCRAM signature is wrong, so it does not know this account's password"
      }
    }
  }

  /// Bounds the work that a hostile server can make us do: about a second.
  package static let maximumIterations = 1_000_000

  private let hash: Hash
  private let password: [UInt8]
  private let nonce: String
  private let gs2Header: String
  private let bindingData: [UInt8]
  private let clientFirstBare: String
  private var expectedServerSignature: [UInt8]?

  /// - Parameters:
  ///   - username: the account's localpart.
  ///   - nonce: fresh, printable, unguessable, without commas.
  /// - Returns: nil if name or password hold characters that SASLprep prohibits.
  package init?(_ hash: Hash, username: String, password: String, nonce: String, binding: Binding) {
    precondition(!nonce.isEmpty && nonce.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ",") })
    guard let username = saslPrepared(username), let password = saslPrepared(password) else { return nil }
    self.hash = hash
    self.password = Array(password.utf8)
    self.nonce = nonce
    switch binding {
    case .unsupported: (gs2Header, bindingData) = ("n,,", [])
    case .notOffered: (gs2Header, bindingData) = ("y,,", [])
    case .bound(let binding): (gs2Header, bindingData) = ("p=\(binding.type.rawValue),,", binding.data)
    }
    let name = username.unicodeScalars.reduce(into: "") { $0 += $1 == "=" ? "=3D" : $1 == "," ? "=2C" : String($1) }
    clientFirstBare = "n=\(name),r=\(nonce)"
  }

  /// The client-first-message.
  package var clientFirst: String { gs2Header + clientFirstBare }

  /// The client-final-message, with the proof.
  package mutating func clientFinal(answering serverFirst: String) throws(Failure) -> String {
    let fields = serverFirst.split(separator: ",", omittingEmptySubsequences: false)
    // A leading `m=` is an extension that must be understood, and we know none.
    guard fields.count >= 3, let nonce = fields[0].value(of: "r") else { throw .malformed("nonce") }
    guard nonce.hasPrefix(self.nonce), nonce.utf8.count > self.nonce.utf8.count else { throw .nonceMismatch }
    guard let salt = fields[1].value(of: "s").flatMap({ Data(base64Encoded: $0) }), !salt.isEmpty else {
      throw .malformed("salt")
    }
    guard let iterations = fields[2].value(of: "i").flatMap({ Int($0) }), iterations > 0 else {
      throw .malformed("iteration count")
    }
    guard iterations <= SCRAM.maximumIterations else { throw .tooManyIterations(iterations) }

    let channel = Data(Array(gs2Header.utf8) + bindingData).base64EncodedString()
    let withoutProof = "c=\(channel),r=\(nonce)"
    let authMessage = Array("\(clientFirstBare),\(serverFirst),\(withoutProof)".utf8)
    let proof: [UInt8]
    switch hash {
    case .sha1: proof = sign(Insecure.SHA1.self, authMessage, salt: Array(salt), iterations: iterations)
    case .sha256: proof = sign(SHA256.self, authMessage, salt: Array(salt), iterations: iterations)
    }
    return "\(withoutProof),p=\(Data(proof).base64EncodedString())"
  }

  /// Checks the server-final-message: the server's proof that it knows the password.
  package mutating func verify(_ serverFinal: String) throws(Failure) {
    guard let expected = expectedServerSignature.take() else { throw .malformed("order") }
    let first = serverFinal.split(separator: ",", omittingEmptySubsequences: false).first ?? ""
    if let error = first.value(of: "e") { throw .refused(error) }
    guard let signature = first.value(of: "v").flatMap({ Data(base64Encoded: $0) }) else { throw .malformed("signature") }
    // Compared through a digest, so that the time taken tells nothing.
    guard SHA256.hash(data: signature) == SHA256.hash(data: expected) else { throw .wrongServerSignature }
  }

  /// Keeps the signature to expect from the server, and returns the client's proof.
  ///
  /// - Specification: RFC 5802 §3
  private mutating func sign<H: HashFunction>(
    _: H.Type, _ authMessage: [UInt8], salt: [UInt8], iterations: Int
  ) -> [UInt8] {
    let saltedPassword = SCRAM.hi(H.self, password, salt: salt, iterations: iterations)
    let clientKey = SCRAM.hmac(H.self, saltedPassword, "Client Key".utf8)
    let storedKey = Array(H.hash(data: clientKey))
    let clientSignature = SCRAM.hmac(H.self, storedKey, authMessage)
    let serverKey = SCRAM.hmac(H.self, saltedPassword, "Server Key".utf8)
    expectedServerSignature = SCRAM.hmac(H.self, serverKey, authMessage)
    return zip(clientKey, clientSignature).map { $0 ^ $1 }
  }

  /// PBKDF2 with HMAC, one block long.
  ///
  /// - Specification: RFC 5802 §2.2
  private static func hi<H: HashFunction>(_: H.Type, _ password: [UInt8], salt: [UInt8], iterations: Int) -> [UInt8] {
    let keyed = HMAC<H>(key: SymmetricKey(data: password))
    var block = salt + [0, 0, 0, 1]
    var result = [UInt8](repeating: 0, count: H.Digest.byteCount)
    for _ in 0..<iterations {
      var round = keyed
      round.update(data: block)
      block = Array(round.finalize())
      for index in result.indices { result[index] ^= block[index] }
    }
    return result
  }

  private static func hmac<H: HashFunction>(_: H.Type, _ key: [UInt8], _ data: some Sequence<UInt8>) -> [UInt8] {
    Array(HMAC<H>.authenticationCode(for: Array(data), using: SymmetricKey(data: key)))
  }
}

extension Substring {
  /// What follows `name=`, if the attribute has that name.
  fileprivate func value(of name: Character) -> String? {
    guard first == name, dropFirst().first == "=" else { return nil }
    return String(dropFirst(2))
  }
}
