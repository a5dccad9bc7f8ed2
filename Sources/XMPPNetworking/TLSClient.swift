import FoundationEssentials
import NIOCore
import NIOSSL
import Synchronization
import XMPPCore

/// The TLS of one connection: makes its handler, tells its channel bindings, says what was wrong with a certificate.
///
/// The certificate must be the account's domain's, wherever the connection leads.
///
/// - Specification: RFC 6120 §13.7.2, RFC 7590, XEP-0368
struct TLSClient: Sendable {
  private let domain: String
  private let context: NIOSSLContext
  private let exporterSecret = ExporterSecret()

  /// Written by BoringSSL on the event loop during the handshake, read there after it.
  private final class ExporterSecret: Sendable {
    let bytes = Mutex<[UInt8]>([])
  }

  /// - Parameters:
  ///   - domain: in ASCII (A-labels); an IP address is verified as the address connected to.
  ///   - authorities: the certificates to trust instead of the system's.
  init(domain: String, authorities: [NIOSSLCertificate]?, security: ConnectionTarget.Security) throws {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv12
    if let authorities { configuration.trustRoots = .certificates(authorities) }
    if security == .directTLS { configuration.applicationProtocols = ["xmpp-client"] }
    // One context serves one connection, so this is that connection's secret. It is never logged.
    configuration.keyLogCallback = { [exporterSecret] line in
      let words = String(buffer: line).split(whereSeparator: \.isWhitespace)
      guard words.count == 3, words[0] == "EXPORTER_SECRET" else { return }
      exporterSecret.bytes.withLock { $0 = [UInt8](hex: words[2]) }
    }
    context = try NIOSSLContext(configuration: configuration)
    self.domain = domain
  }

  func makeHandler() throws -> NIOSSLClientHandler {
    try NIOSSLClientHandler(context: context, serverHostname: isIPAddress(domain) ? nil : domain)
  }

  /// The bindings of the established connection, strongest first.
  func channelBindings(of handler: NIOSSLClientHandler) -> [ChannelBinding] {
    let certificate = handler.peerCertificate.flatMap { try? $0.toDERBytes() }
    return [
      ChannelBinding.exporter(secret: exporterSecret.bytes.withLock { $0 }),
      certificate.flatMap { ChannelBinding.serverEndPoint(certificate: $0) },
    ].compactMap(\.self)
  }

  /// Why the peer of a finished handshake is not the one that was meant; nil when it is.
  func refusal(of certificate: NIOSSLCertificate?, at target: ConnectionTarget) -> XMPPConnectionError? {
    // A domain that is an address has been verified as such by NIOSSL.
    if isIPAddress(domain) || certificate?.isFor(host: domain) == true { return nil }
    return nameMismatch(certificate, at: target)
  }

  private func nameMismatch(_ certificate: NIOSSLCertificate?, at target: ConnectionTarget) -> XMPPConnectionError {
    let names = (certificate?.dnsNames ?? []).prefix(5).map { Printable.shortened($0) }
    let found = names.isEmpty ? "no name" : names.joined(separator: ", ")
    return XMPPConnectionError(
      .tlsUntrusted(.nameMismatch), "\(target): The server's certificate is for \(found), not for \(domain).")
  }

  /// Why a handshake failed.
  func failure(
    _ error: any Error, certificate: NIOSSLCertificate?, at target: ConnectionTarget
  ) -> XMPPConnectionError {
    let reason = opensslReason(error)
    if error as? NIOSSLExtraError == .failedToValidateHostname
      || error as? NIOSSLExtraError == .serverHostnameImpossibleToMatch || error as? NIOSSLError == .cannotMatchULabel
    {
      return nameMismatch(certificate, at: target)
    }
    guard reason.contains("CERTIFICATE_VERIFY_FAILED") else {
      let hint = reason.contains("WRONG_VERSION_NUMBER") ? " The port does not seem to speak TLS." : ""
      return XMPPConnectionError(.tlsUnavailable, "\(target): The TLS handshake failed: \(reason).\(hint)")
    }
    if let certificate {
      let now = Date()
      let notBefore = Date(timeIntervalSince1970: TimeInterval(certificate.notValidBefore))
      let notAfter = Date(timeIntervalSince1970: TimeInterval(certificate.notValidAfter))
      if notAfter < now {
        return XMPPConnectionError(
          .tlsUntrusted(.expired),
          "\(target): The server's certificate expired on \(notAfter.formatted(.iso8601)).")
      }
      if notBefore > now {
        return XMPPConnectionError(
          .tlsUntrusted(.notYetValid),
          "\(target): The server's certificate is valid only from \(notBefore.formatted(.iso8601)); is the clock right?"
        )
      }
    }
    return XMPPConnectionError(
      .tlsUntrusted(.unknownAuthority),
      "\(target): The server's certificate is not signed by a trusted authority (or one of the chain has expired).")
  }

  /// BoringSSL's word for it, without file names and error numbers.
  private func opensslReason(_ error: any Error) -> String {
    if error is IOError { return describe(error) }
    let text = String(describing: error)
    if text.contains("eofDuringHandshake") || text.contains("EOF during handshake") {
      return "the server closed the connection"
    }
    guard let range = text.firstRange(of: "OPENSSL_internal:") else { return Printable.shortened(text) }
    return String(text[range.upperBound...].prefix { $0.isLetter || $0.isNumber || $0 == "_" })
  }
}

func isIPAddress(_ host: String) -> Bool {
  (try? SocketAddress(ipAddress: host, port: 0)) != nil
}

extension [UInt8] {
  /// Pairs of hexadecimal digits; anything else yields nothing.
  fileprivate init(hex: Substring) {
    let digits = hex.compactMap(\.hexDigitValue)
    self = stride(from: 0, to: digits.count - digits.count % 2, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }
}
