/// Why bytes are not the XML that XMPP allows, or not within the limits set.
///
/// - Specification: RFC 6120 §11.1
package enum XMLStreamError: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Construct: String, Hashable, Sendable {
    case doctype = "a document type declaration"
    case entity = "an entity"
    case processingInstruction = "a processing instruction"
    case comment = "a comment"
  }

  /// With the XML parser's own word for it.
  case notWellFormed(String)
  /// Well-formed, but forbidden in XMPP.
  case restricted(Construct)
  /// Character data between top-level elements.
  case strayText
  case tooLarge(limit: Int)
  case tooDeep(limit: Int)
  case tooManyAttributes(limit: Int)

  /// The stream error to answer with.
  ///
  /// - Specification: RFC 6120 §4.9.3
  package var condition: StreamError.Condition {
    switch self {
    case .notWellFormed: .notWellFormed
    case .restricted: .restrictedXML
    case .strayText: .badFormat
    case .tooLarge, .tooDeep, .tooManyAttributes: .policyViolation
    }
  }

  package var description: String {
    switch self {
    case .notWellFormed(let reason): "XML that is not well-formed (\(reason))"
    case .restricted(let construct): "XML with \(construct.rawValue), which XMPP forbids"
    case .strayText: "text outside of any stanza"
    case .tooLarge(let limit): "a stanza of more than \(limit) bytes"
    case .tooDeep(let limit): "a stanza nested more than \(limit) levels deep"
    case .tooManyAttributes(let limit): "an element with more than \(limit) attributes"
    }
  }
}
