import XMPPCore

/// A name and a value: of a format, a header extension, a feedback message or a source. SDP has them without a value too,
/// which is empty here; some formats (`red`) have one without a name.
///
/// - Specification: XEP-0167 §4
package struct RTPParameter: Hashable, Sendable {
  /// What a peer lists beyond, in one place, is dropped.
  package static let maximumCount = 64

  package var name: String
  package var value: String

  package init(_ name: String, _ value: String = "") {
    self.name = name
    self.value = value
  }

  /// - Parameter emptyValue: whether an empty value is written, as XEP-0167 wants it and XEP-0339 does not.
  func element(in namespace: String, emptyValue: Bool) -> XMLElement {
    var element = XMLElement("parameter", namespace: namespace, attributes: ["name": name])
    if emptyValue || !value.isEmpty { element[attribute: "value"] = value }
    return element
  }
}

extension XMLElement {
  /// The parameters inside.
  func parameters() -> [RTPParameter] {
    all("parameter", namespace).prefix(RTPParameter.maximumCount).map {
      RTPParameter($0[attribute: "name"] ?? "", $0[attribute: "value"] ?? "")
    }
  }
}
