import Testing
import XMPPCore

/// The element that a piece of a stream's text stands for.
func stanza(_ text: String) throws -> XMLElement {
  try XMLElement(parsing: text, inside: Stanza.namespace)
}

func jid(_ text: String) throws -> JID { try JID(text) }

/// Random numbers that are the same in every run.
struct FixedGenerator: RandomNumberGenerator {
  var state: UInt64 = 0

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return state
  }
}

extension XMLElement {
  /// Every element that differs from this one in one place: an attribute gone, emptied, overlong or of another kind; a
  /// child gone or repeated; a name, a namespace or a text changed.
  var mutations: [XMLElement] {
    var all: [XMLElement] = []
    func change(_ edit: (inout XMLElement) -> Void) {
      var copy = self
      edit(&copy)
      all.append(copy)
    }
    change { $0.name = "x" }
    change { $0.namespace = "urn:example:other" }
    change { $0.nodes = [] }
    change { $0.nodes = [.text("\u{0}\u{301}\u{1F525}")] }
    for name in attributes.keys.sorted() {
      change { $0[attribute: name] = nil }
      let long = String(repeating: "a", count: 4096)
      for value in ["", " ", "-1", "99999999999999999999", "@", "a@/\u{301}", "\u{FFFF}", long] {
        change { $0[attribute: name] = value }
      }
    }
    for index in nodes.indices {
      change { $0.nodes.remove(at: index) }
      change { $0.nodes.insert($0.nodes[index], at: index) }
      change { $0.nodes += Array(repeating: $0.nodes[index], count: 2000) }
      if case .element(let child) = nodes[index] {
        for mutation in child.mutations { change { $0.nodes[index] = .element(mutation) } }
      }
    }
    return all
  }
}
