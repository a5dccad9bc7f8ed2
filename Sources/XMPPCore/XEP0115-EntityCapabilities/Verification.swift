import Crypto
import FoundationEssentials

/// A verification string with the name of the hash that made it.
///
/// - Specification: XEP-0115 §5
package struct Verification: Hashable, Sendable {
  /// The hash functions that can be computed here, by their IANA names.
  package enum Hash: String, Hashable, Sendable, CaseIterable {
    case sha1 = "sha-1"
    case sha256 = "sha-256"
    case sha384 = "sha-384"
    case sha512 = "sha-512"
  }

  package var algorithm: String
  package var value: String

  package init(algorithm: String, value: String) {
    self.algorithm = algorithm
    self.value = value
  }

  package var hash: Hash? { Hash(rawValue: algorithm) }

  /// - Specification: XEP-0115 §5.1
  package init(of info: DiscoInfo, hash: Hash) {
    var string = ""
    for identity in info.identities.sorted(by: Self.precedes) {
      string += "\(identity.category)/\(identity.type)/\(identity.language ?? "")/\(identity.name ?? "")<"
    }
    for feature in info.features.sorted(by: Self.precedes) { string += "\(feature)<" }
    let forms = info.forms.compactMap { form in form.formType.map { (type: $0.values[0], fields: form.fields) } }
    for form in forms.sorted(by: { Self.precedes($0.type, $1.type) }) {
      string += "\(form.type)<"
      let fields = form.fields.filter { $0.name != "FORM_TYPE" }
      for field in fields.sorted(by: { Self.precedes($0.name, $1.name) }) {
        string += "\(field.name)<"
        for value in field.values.sorted(by: Self.precedes) { string += "\(value)<" }
      }
    }
    let bytes = Data(string.utf8)
    let digest =
      switch hash {
      case .sha1: Data(Insecure.SHA1.hash(data: bytes))
      case .sha256: Data(SHA256.hash(data: bytes))
      case .sha384: Data(SHA384.hash(data: bytes))
      case .sha512: Data(SHA512.hash(data: bytes))
      }
    self.init(algorithm: hash.rawValue, value: digest.base64EncodedString())
  }

  /// Whether the answer is one that this verification string stands for, so that it may be believed of everybody who
  /// advertises the string.
  package func verifies(_ info: DiscoInfo) -> Bool {
    guard let hash else { return false }
    return info.isWellFormed && Verification(of: info, hash: hash) == self
  }

  /// The collation i;octet (RFC 4790 §9.3): bytes, where `String`'s own order looks at characters.
  private static func precedes(_ a: String, _ b: String) -> Bool {
    a.utf8.lexicographicallyPrecedes(b.utf8)
  }

  private static func precedes(_ a: DiscoInfo.Identity, _ b: DiscoInfo.Identity) -> Bool {
    let a = [a.category, a.type, a.language ?? "", a.name ?? ""]
    let b = [b.category, b.type, b.language ?? "", b.name ?? ""]
    return zip(a, b).first { !$0.utf8.elementsEqual($1.utf8) }.map(precedes) ?? false
  }
}

extension DiscoInfo {
  /// Whether a verification string can be made of this answer: nothing is repeated, and nothing contains the `<` that
  /// the string puts between its parts, by which two different answers could have the same string.
  ///
  /// - Specification: XEP-0115 §5.4
  var isWellFormed: Bool {
    var types: Set<String> = []
    for form in forms {
      guard let type = form.formType else { continue }
      let values = Set(form.fields.lazy.filter { $0.name == "FORM_TYPE" }.flatMap(\.values))
      guard values.count == 1, types.insert(type.values[0]).inserted else { return false }
    }
    guard Set(identities).count == identities.count, Set(features).count == features.count else { return false }
    let identityParts = identities.lazy.flatMap { [$0.category, $0.type, $0.language ?? "", $0.name ?? ""] }
    let formParts = forms.lazy.flatMap(\.fields).flatMap { [$0.name] + $0.values }
    return !identityParts.contains { $0.contains("<") } && !features.contains { $0.contains("<") }
      && !formParts.contains { $0.contains("<") }
  }
}
