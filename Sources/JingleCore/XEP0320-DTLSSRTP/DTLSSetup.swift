/// Who opens the DTLS handshake, as one side would have it.
///
/// - Specification: XEP-0320 §2, RFC 4145 §4, RFC 5763 §5
package enum DTLSSetup: String, Hashable, Sendable, CaseIterable {
  /// This side opens: it is the client.
  case active
  /// The other side opens: this one is the server.
  case passive
  /// Either; for offers only.
  case actpass
  /// Nobody for now; not used by this protocol.
  case holdconn
}

/// A side's part in the DTLS handshake.
package enum DTLSRole: Hashable, Sendable {
  case client, server

  package var other: DTLSRole { self == .client ? .server : .client }
}

/// An offer and an answer that leave no handshake, or two.
package enum DTLSSetupError: Error, Hashable, Sendable {
  case bothActive
  case bothPassive
  /// An answer must choose.
  case actpassInAnswer
  case holdconn
}

extension DTLSRole {
  /// The part of the side that offered.
  ///
  /// - Parameters:
  ///   - offered: what this side wrote.
  ///   - answered: what the peer wrote; nothing means active, as RFC 4145 §4.1 has it.
  /// - Specification: RFC 5763 §5
  package init(offered: DTLSSetup, answered: DTLSSetup?) throws(DTLSSetupError) {
    switch (offered, answered ?? .active) {
    case (.holdconn, _), (_, .holdconn): throw .holdconn
    case (_, .actpass): throw .actpassInAnswer
    case (.active, .active): throw .bothActive
    case (.passive, .passive): throw .bothPassive
    case (_, .active): self = .server
    case (_, .passive): self = .client
    }
  }

  /// The part of the side that answers, and what it writes: active wherever the offer leaves the choice, so that the
  /// handshake can begin without waiting for the answer to arrive.
  ///
  /// - Parameter offered: what the peer wrote; nothing means that it takes either part.
  /// - Specification: RFC 5763 §5
  package static func answering(_ offered: DTLSSetup?) throws(DTLSSetupError) -> (role: DTLSRole, setup: DTLSSetup) {
    switch offered ?? .actpass {
    case .actpass, .passive: (.client, .active)
    case .active: (.server, .passive)
    case .holdconn: throw .holdconn
    }
  }
}
