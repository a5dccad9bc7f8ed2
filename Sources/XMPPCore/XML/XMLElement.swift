/// An XML element with its namespace resolved: the value that every stanza and extension is read from and written to.
///
/// Only what XMPP allows exists here: elements, attributes and character data.
///
/// - Specification: RFC 6120 §11
package struct XMLElement: Hashable, Sendable {
  package enum Node: Hashable, Sendable {
    case element(XMLElement)
    case text(String)
  }

  package var name: String
  package var namespace: String
  /// Attribute values by name. Attributes in a namespace are keyed `namespace|name`, except `xml:lang`, which is `xml:lang`.
  package var attributes: [String: String]
  package var nodes: [Node]

  package init(
    _ name: String, namespace: String, attributes: [String: String] = [:], children: [XMLElement] = [], text: String? = nil
  ) {
    self.name = name
    self.namespace = namespace
    self.attributes = attributes
    nodes = children.map { .element($0) }
    if let text { nodes.append(.text(text)) }
  }

  package subscript(attribute name: String) -> String? {
    get { attributes[name] }
    set { attributes[name] = newValue }
  }

  /// The child elements, in order.
  package var children: [XMLElement] {
    nodes.compactMap { if case .element(let element) = $0 { element } else { nil } }
  }

  /// All character data directly inside, joined.
  package var text: String {
    nodes.reduce(into: "") { if case .text(let text) = $1 { $0 += text } }
  }

  package func `is`(_ name: String, _ namespace: String) -> Bool {
    self.name == name && self.namespace == namespace
  }

  /// The first child of that name and namespace.
  package func first(_ name: String, _ namespace: String) -> XMLElement? {
    for case .element(let child) in nodes where child.is(name, namespace) { return child }
    return nil
  }

  package func all(_ name: String, _ namespace: String) -> [XMLElement] {
    children.filter { $0.is(name, namespace) }
  }

  package mutating func append(_ child: XMLElement) {
    nodes.append(.element(child))
  }
}
