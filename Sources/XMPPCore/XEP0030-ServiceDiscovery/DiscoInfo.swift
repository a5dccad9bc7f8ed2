/// What an entity is and what it can do.
///
/// - Specification: XEP-0030 §3
package struct DiscoInfo: Hashable, Sendable {
  package struct Identity: Hashable, Sendable {
    package var category: String
    package var type: String
    package var language: String?
    package var name: String?

    package init(category: String, type: String, language: String? = nil, name: String? = nil) {
      self.category = category
      self.type = type
      self.language = language
      self.name = name
    }
  }

  package static let namespace = "http://jabber.org/protocol/disco#info"

  package var node: String?
  package var identities: [Identity]
  /// As they stood on the wire, so that repetitions can be told.
  package var features: [String]
  package var forms: [DataForm]

  package init(node: String? = nil, identities: [Identity], features: [String], forms: [DataForm] = []) {
    self.node = node
    self.identities = identities
    self.features = features
    self.forms = forms
  }

  package func supports(_ feature: String) -> Bool {
    // Some entities leave out the feature that they prove by answering.
    features.contains(feature) || feature == Self.namespace
  }
}

extension DiscoInfo {
  /// More than any entity has: real clients stay below 100 features. An answer that goes beyond is refused.
  package static let maximumIdentities = 64
  package static let maximumFeatures = 1024
  package static let maximumForms = 32

  /// The question, for an iq of type get.
  package static func request(node: String? = nil) -> XMLElement {
    var element = XMLElement("query", namespace: namespace)
    element[attribute: "node"] = node
    return element
  }

  /// Reads the answer. Identities and features without what they must have are left out.
  package init(_ element: XMLElement) throws(StanzaError) {
    guard element.is("query", Self.namespace) else { throw StanzaError(.badRequest, text: "not a disco#info answer") }
    self.init(identities: [], features: [])
    node = element[attribute: "node"]
    for child in element.children {
      switch (child.name, child.namespace) {
      case ("identity", Self.namespace):
        guard let category = child[attribute: "category"], let type = child[attribute: "type"] else { continue }
        identities.append(
          Identity(
            category: category, type: type, language: child[attribute: "xml:lang"], name: child[attribute: "name"]))
      case ("feature", Self.namespace):
        if let feature = child[attribute: "var"] { features.append(feature) }
      case ("x", DataForm.namespace):
        forms.append(try DataForm(child))
      default: continue
      }
      guard identities.count <= Self.maximumIdentities, features.count <= Self.maximumFeatures,
        forms.count <= Self.maximumForms
      else { throw StanzaError(.notAcceptable, text: "too much in one disco#info answer") }
    }
  }

  package var element: XMLElement {
    var element = Self.request(node: node)
    for identity in identities {
      var child = XMLElement(
        "identity", namespace: Self.namespace, attributes: ["category": identity.category, "type": identity.type])
      child[attribute: "xml:lang"] = identity.language
      child[attribute: "name"] = identity.name
      element.append(child)
    }
    for feature in features {
      element.append(XMLElement("feature", namespace: Self.namespace, attributes: ["var": feature]))
    }
    for form in forms { element.append(form.element) }
    return element
  }
}
