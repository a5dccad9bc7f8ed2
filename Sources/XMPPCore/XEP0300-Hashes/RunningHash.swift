import CSodium
import Crypto

/// Several hashes of one stream of bytes, computed as it goes by.
package struct RunningHash: ~Copyable, Sendable {
  private var digests: [any RunningDigest]

  package init(_ algorithms: some Sequence<HashAlgorithm>) {
    digests = Set(algorithms).sorted().map { algorithm in
      switch algorithm {
      case .sha1: CryptoDigest<Insecure.SHA1>(algorithm)
      case .sha256: CryptoDigest<SHA256>(algorithm)
      case .sha512: CryptoDigest<SHA512>(algorithm)
      case .sha3256: CryptoDigest<SHA3_256>(algorithm)
      case .sha3512: CryptoDigest<SHA3_512>(algorithm)
      case .blake2b256, .blake2b512: BLAKE2b(algorithm)
      }
    }
  }

  /// The next bytes, which are not copied.
  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    for index in digests.indices { digests[index].update(bytes) }
  }

  package mutating func update(_ bytes: RawSpan) {
    bytes.withUnsafeBytes { update($0) }
  }

  package mutating func update(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { update($0) }
  }

  /// One value a function.
  package consuming func finish() -> [HashValue] {
    digests.map { HashValue($0.algorithm, $0.finish()) }
  }
}

extension HashValue {
  /// The hash of data that is all there.
  package init(_ algorithm: HashAlgorithm, of bytes: [UInt8]) {
    var hash = RunningHash([algorithm])
    hash.update(bytes)
    self = hash.finish()[0]
  }
}

private protocol RunningDigest: Sendable {
  var algorithm: HashAlgorithm { get }
  mutating func update(_ bytes: UnsafeRawBufferPointer)
  /// Called once, and last.
  func finish() -> [UInt8]
}

private struct CryptoDigest<Function: HashFunction & Sendable>: RunningDigest {
  let algorithm: HashAlgorithm
  private var function = Function()

  init(_ algorithm: HashAlgorithm) { self.algorithm = algorithm }

  mutating func update(_ bytes: UnsafeRawBufferPointer) { function.update(bufferPointer: bytes) }

  func finish() -> [UInt8] { Array(function.finalize()) }
}

/// - Specification: RFC 7693 §2
///
/// `@unchecked`: the state behind the pointer is reached through this object only, and this object through one
/// `RunningHash`, which cannot be copied.
private final class BLAKE2b: RunningDigest, @unchecked Sendable {
  let algorithm: HashAlgorithm
  private let memory: UnsafeMutableRawPointer
  private let state: OpaquePointer

  init(_ algorithm: HashAlgorithm) {
    self.algorithm = algorithm
    // As the library's type has it, which Swift does not import for that.
    memory = .allocate(byteCount: crypto_generichash_blake2b_statebytes(), alignment: 64)
    state = OpaquePointer(memory)
    let status = crypto_generichash_blake2b_init(state, nil, 0, algorithm.length)
    precondition(status == 0, "BLAKE2b makes hashes of 1 to 64 bytes")
  }

  deinit { memory.deallocate() }

  func update(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress else { return }
    _ = crypto_generichash_blake2b_update(
      state, start.assumingMemoryBound(to: UInt8.self), UInt64(bytes.count))
  }

  func finish() -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: algorithm.length) { buffer, count in
      guard let start = buffer.baseAddress else { return }
      _ = crypto_generichash_blake2b_final(state, start, algorithm.length)
      count = algorithm.length
    }
  }
}
