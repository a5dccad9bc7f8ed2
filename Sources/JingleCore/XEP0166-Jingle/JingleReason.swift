package import XMPPCore

extension Jingle {
  /// Why an action was taken, mostly why a session ended.
  ///
  /// - Specification: XEP-0166 §7.4
  package struct Reason: Hashable, Sendable {
    /// The longest text that is kept of a peer's, in Unicode scalars.
    package static let maximumTextLength = 1024

    package var condition: Condition
    package var text: String?
    /// An application's more exact condition, such as XEP-0167's `crypto-required`.
    package var application: XMLElement?

    package init(_ condition: Condition, text: String? = nil, application: XMLElement? = nil) {
      self.condition = condition
      self.text = text
      self.application = application
    }

    package enum Condition: Hashable, Sendable, CustomStringConvertible {
      case alternativeSession(sid: String?)
      case busy, cancel, connectivityError, decline, expired, failedApplication, failedTransport, generalError, gone
      case incompatibleParameters, mediaError, securityError, success, timeout, unsupportedApplications
      case unsupportedTransports
      /// A condition that the specification does not define, or none at all (an empty string).
      case unknown(String)

      package static let defined: [Condition] = [
        .alternativeSession(sid: nil), .busy, .cancel, .connectivityError, .decline, .expired, .failedApplication,
        .failedTransport, .generalError, .gone, .incompatibleParameters, .mediaError, .securityError, .success,
        .timeout, .unsupportedApplications, .unsupportedTransports,
      ]

      /// The element's name.
      package var description: String {
        switch self {
        case .alternativeSession: "alternative-session"
        case .busy: "busy"
        case .cancel: "cancel"
        case .connectivityError: "connectivity-error"
        case .decline: "decline"
        case .expired: "expired"
        case .failedApplication: "failed-application"
        case .failedTransport: "failed-transport"
        case .generalError: "general-error"
        case .gone: "gone"
        case .incompatibleParameters: "incompatible-parameters"
        case .mediaError: "media-error"
        case .securityError: "security-error"
        case .success: "success"
        case .timeout: "timeout"
        case .unsupportedApplications: "unsupported-applications"
        case .unsupportedTransports: "unsupported-transports"
        case .unknown(let name): name
        }
      }
    }
  }
}

extension Jingle.Reason {
  /// Any `reason` can be read: one without a known condition has the condition `unknown`.
  package init(_ element: XMLElement) {
    var condition: Condition?
    for child in element.children {
      if child.namespace != Jingle.namespace {
        // The name is what such a condition says; what a peer puts inside is not kept.
        guard application == nil, Jingle.isName(child.name), Jingle.isName(child.namespace) else { continue }
        application = XMLElement(child.name, namespace: child.namespace)
      } else if child.name == "text" {
        text = text ?? child.text.cut(to: Self.maximumTextLength)
      } else if condition == nil {
        condition = Condition(child)
      }
    }
    self.condition = condition ?? .unknown("")
  }

  package var element: XMLElement {
    var element = XMLElement("reason", namespace: Jingle.namespace)
    if condition != .unknown("") {
      var child = XMLElement(condition.description, namespace: Jingle.namespace)
      if case .alternativeSession(let sid?) = condition {
        child.append(XMLElement("sid", namespace: Jingle.namespace, text: sid))
      }
      element.append(child)
    }
    if let text { element.append(XMLElement("text", namespace: Jingle.namespace, text: text)) }
    if let application { element.append(application) }
    return element
  }
}

extension Jingle.Reason.Condition {
  init(_ element: XMLElement) {
    if element.name == "alternative-session" {
      let sid = element.first("sid", Jingle.namespace)?.text
      self = .alternativeSession(sid: sid.flatMap { Jingle.isName($0) ? $0 : nil })
    } else {
      self =
        Self.defined.first { $0.description == element.name }
        ?? .unknown(Jingle.isName(element.name) ? element.name : "")
    }
  }
}
