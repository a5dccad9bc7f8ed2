/// A data form, as far as service discovery needs it: fields with their values, to be read and not filled in.
///
/// - Specification: XEP-0004 §3; XEP-0068 §3 (the form's type); XEP-0128 §2
package struct DataForm: Hashable, Sendable {
  package struct Field: Hashable, Sendable {
    package var name: String
    package var type: String?
    package var values: [String]

    package init(_ name: String, type: String? = nil, values: [String]) {
      self.name = name
      self.type = type
      self.values = values
    }
  }

  package static let namespace = "jabber:x:data"

  package var type: String
  package var fields: [Field]

  package init(type: String = "result", fields: [Field]) {
    self.type = type
    self.fields = fields
  }

  /// The hidden field that says what the form is about, if there is one.
  package var formType: Field? {
    fields.first { $0.name == "FORM_TYPE" && $0.type == "hidden" && !$0.values.isEmpty }
  }
}

extension DataForm {
  /// More fields than any known form has; a form that goes beyond is refused.
  package static let maximumFields = 256

  package init(_ element: XMLElement) throws(StanzaError) {
    guard element.is("x", Self.namespace) else { throw StanzaError(.badRequest, text: "not a data form") }
    type = try element.required("type")
    let elements = element.all("field", Self.namespace)
    guard elements.count <= Self.maximumFields else { throw StanzaError(.notAcceptable, text: "too many fields") }
    // Fields without a name are for people to read ("fixed").
    fields = elements.compactMap { field in
      field[attribute: "var"].map { name in
        Field(name, type: field[attribute: "type"], values: field.all("value", Self.namespace).map(\.text))
      }
    }
  }

  package var element: XMLElement {
    XMLElement(
      "x", namespace: Self.namespace, attributes: ["type": type],
      children: fields.map { field in
        var element = XMLElement("field", namespace: Self.namespace, attributes: ["var": field.name])
        element[attribute: "type"] = field.type
        for value in field.values { element.append(XMLElement("value", namespace: Self.namespace, text: value)) }
        return element
      })
  }
}
