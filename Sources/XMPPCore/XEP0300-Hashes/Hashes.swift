/// One hash of some data.
package struct HashValue: Hashable, Sendable {
  package let algorithm: HashAlgorithm
  package let bytes: [UInt8]

  package init(_ algorithm: HashAlgorithm, _ bytes: [UInt8]) {
    precondition(bytes.count == algorithm.length, "a hash has its function's length")
    self.algorithm = algorithm
    self.bytes = bytes
  }

  /// nil when these are not as many digits as the function's values have.
  package init?(_ algorithm: HashAlgorithm, hexadecimal text: String) {
    guard let bytes = [UInt8](hexadecimal: text.lowercased()), bytes.count == algorithm.length else { return nil }
    self.init(algorithm, bytes)
  }

  /// In lower-case digits.
  package var hexadecimal: String { bytes.hexadecimal }
}

/// What is told of some data's hashes: values, and the functions whose values are still to come.
///
/// - Specification: XEP-0300 §3
package struct Hashes: Hashable, Sendable {
  package static let namespace = "urn:xmpp:hashes:2"
  /// What a peer tells beyond is dropped.
  package static let maximumCount = 16
  static let maximumNameLength = 64

  /// At most one a function.
  package private(set) var values: [HashValue]
  /// Functions that were or will be used for values that are not here.
  package private(set) var announced: [HashAlgorithm]
  /// The names of functions that cannot be computed here. Their values are not kept.
  package private(set) var unknown: [String] = []
  /// How many malformed, repeated or supernumerary hashes were left out.
  package private(set) var dropped = 0

  package init(_ values: [HashValue] = [], announced: [HashAlgorithm] = []) {
    self.values = []
    self.announced = []
    for value in values { insert(value) }
    for algorithm in announced { announce(algorithm) }
  }

  /// Nothing was told, or nothing that is understood.
  package var isEmpty: Bool { values.isEmpty && announced.isEmpty }

  /// Functions were named, and no value was told, not even one by a function that is unknown.
  package var isAnnouncement: Bool { values.isEmpty && unknown.isEmpty && !announced.isEmpty }

  /// The one to hold the data against. Where it is not trusted, data that matches may still have been made to match.
  package var strongest: HashValue? { values.max { $0.algorithm < $1.algorithm } }

  package subscript(algorithm: HashAlgorithm) -> HashValue? { values.first { $0.algorithm == algorithm } }

  /// The functions to compute while the data goes by, so that it need not be read again: that of a value that can be
  /// trusted, or else all that were told, for a better one may come.
  package var algorithms: [HashAlgorithm] {
    guard let strongest else { return announced }
    return strongest.algorithm.isTrusted ? [strongest.algorithm] : [strongest.algorithm] + announced
  }

  /// Adds what was told later. A value that is there holds against another one.
  package mutating func formUnion(_ later: Hashes) {
    for value in later.values { insert(value) }
    for algorithm in later.announced { announce(algorithm) }
  }

  private mutating func insert(_ value: HashValue) {
    if self[value.algorithm] == nil { values.append(value) }
    announced.removeAll { $0 == value.algorithm }
  }

  private mutating func announce(_ algorithm: HashAlgorithm) {
    if self[algorithm] == nil, !announced.contains(algorithm) { announced.append(algorithm) }
  }
}

extension Hashes {
  /// Reads the `hash` and `hash-used` elements in an element.
  package init(in parent: XMLElement) {
    self.init()
    var count = 0
    for child in parent.children where child.namespace == Self.namespace {
      guard child.name == "hash" || child.name == "hash-used" else { continue }
      count += 1
      guard
        count <= Self.maximumCount, let name = child[attribute: "algo"], !name.isEmpty,
        name.utf8.count <= Self.maximumNameLength
      else {
        dropped += 1
        continue
      }
      guard let algorithm = HashAlgorithm(named: name) else {
        if !unknown.contains(name) { unknown.append(name) }
        continue
      }
      // A hash without a value is a function that is going to be used (XEP-0234 §5).
      if child.name == "hash-used" || child.text.allSatisfy(\.isWhitespace) {
        announce(algorithm)
      } else if let bytes = child.base64Content(upTo: algorithm.length), bytes.count == algorithm.length,
        self[algorithm] == nil
      {
        insert(HashValue(algorithm, bytes))
      } else {
        dropped += 1
      }
    }
  }

  /// `hash` for what has a value, `hash-used` for what has none.
  package var elements: [XMLElement] {
    values.map {
      XMLElement(
        "hash", namespace: Self.namespace, attributes: ["algo": $0.algorithm.rawValue], text: $0.bytes.base64)
    }
      + announced.map {
        XMLElement("hash-used", namespace: Self.namespace, attributes: ["algo": $0.rawValue])
      }
  }
}
