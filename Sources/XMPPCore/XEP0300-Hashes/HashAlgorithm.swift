/// A hash function that can be computed here, weakest first.
///
/// Of functions with hashes of one length the one that computers have instructions for counts as the strongest: nobody
/// can break either, and it is done sooner.
///
/// - Specification: XEP-0300 §3
package enum HashAlgorithm: String, Hashable, Sendable, CaseIterable, Comparable {
  case sha1 = "sha-1"
  case blake2b256 = "blake2b-256"
  case sha3256 = "sha3-256"
  case sha256 = "sha-256"
  case blake2b512 = "blake2b-512"
  case sha3512 = "sha3-512"
  case sha512 = "sha-512"

  /// The function of that name, as the specification spells it or as others do.
  package init?(named name: String) {
    guard name.utf8.count <= Hashes.maximumNameLength else { return nil }
    switch name.lowercased() {
    case "sha1": self = .sha1  // XEP-0231 §2.6
    case "id-blake2b256": self = .blake2b256  // XEP-0300 §9.3
    case "id-blake2b512": self = .blake2b512
    case let name: self.init(rawValue: name)
    }
  }

  /// Bytes in a hash.
  package var length: Int {
    switch self {
    case .sha1: 20
    case .sha256, .sha3256, .blake2b256: 32
    case .sha512, .sha3512, .blake2b512: 64
    }
  }

  /// Whether data with a given hash cannot be made: for SHA-1 it can, so that its hashes only tell of accidents.
  package var isTrusted: Bool { self != .sha1 }

  /// What says in disco#info that an entity computes this function.
  ///
  /// - Specification: XEP-0300 §5, §9.3
  package var feature: String {
    let name =
      switch self {
      case .blake2b256: "id-blake2b256"
      case .blake2b512: "id-blake2b512"
      default: rawValue
      }
    return Self.featurePrefix + name
  }

  private static let featurePrefix = "urn:xmpp:hash-function-text-names:"

  /// What this side computes, for disco#info.
  package static let features = [Hashes.namespace] + allCases.map(\.feature)

  /// What an entity with these features computes.
  package static func supported(by features: some Sequence<String>) -> Set<HashAlgorithm> {
    Set(
      features.lazy.filter { $0.hasPrefix(featurePrefix) }.compactMap {
        HashAlgorithm(named: String($0.dropFirst(featurePrefix.count)))
      })
  }

  package static func < (a: HashAlgorithm, b: HashAlgorithm) -> Bool { a.rank < b.rank }

  private var rank: Int {
    switch self {
    case .sha1: 0
    case .blake2b256: 1
    case .sha3256: 2
    case .sha256: 3
    case .blake2b512: 4
    case .sha3512: 5
    case .sha512: 6
    }
  }
}
