import XMPPCore

/// Why an upload or a download came to nothing: a kind for programs, and a sentence for people.
package struct HTTPSError: Error, Sendable, CustomStringConvertible {
  package enum Kind: Hashable, Sendable {
    /// The file of authorities cannot be used.
    case configuration
    case unreachable
    /// The server speaks no TLS, or not one that we accept.
    case tlsUnavailable
    case tlsUntrusted(XMPPConnectionError.TrustProblem)
    /// Nothing moved for too long.
    case timedOut
    /// The connection broke before all was there.
    case connectionLost
    /// The server refused, by a status from 300 on that is no redirection to follow.
    case status(Int)
    /// There are more bytes than may be.
    case tooLarge(limit: UInt64)
    /// There are no bytes from that offset on; how many there are in all, where the server says it.
    case rangeNotSatisfiable(total: UInt64?)
    /// The server sends us on too often, or away from TLS.
    case redirection
    /// The server's answer makes no sense.
    case protocolViolation
    /// More or fewer bytes were given for an upload than were promised.
    case wrongLength
    case cancelled
  }

  package let kind: Kind
  package let message: String

  package init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  package var description: String { message }

  /// What went wrong below HTTP.
  init(_ error: XMPPConnectionError) {
    let kind: Kind =
      switch error.kind {
      case .configuration: .configuration
      case .tlsUnavailable: .tlsUnavailable
      case .tlsUntrusted(let problem): .tlsUntrusted(problem)
      case .timedOut: .timedOut
      case .cancelled: .cancelled
      default: .unreachable
      }
    self.init(kind, error.message)
  }

  /// - Parameter reason: the server's own words.
  static func status(_ code: Int, reason: String, of host: String, to request: String) -> HTTPSError {
    let hint =
      switch code {
      case 401, 403, 407: " It does not let us."
      case 404, 410: " There is nothing there (any more)."
      case 408, 429, 503: " Try again later."
      case 413: " The file is too large for it."
      case 507: " It has no space left."
      default: ""
      }
    let words = reason.isEmpty ? "" : " (\(Printable.shortened(reason)))"
    return HTTPSError(.status(code), "\(host) answered the \(request) with \(code)\(words).\(hint)")
  }
}
