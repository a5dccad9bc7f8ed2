package import Foundation

/// A folder in which the `openssl` command makes keys and certificates, gone with this value.
package final class CertificateFolder {
  private let directory = FileManager.default.temporaryDirectory.appending(path: "carillon-\(UUID().uuidString)")
  private static let newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

  package init() throws {
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: directory) }

  /// Makes one that signs others.
  ///
  /// - Returns: its certificate's PEM.
  package func authority(_ name: String) throws -> Data {
    try openssl(
      ["req", "-x509"] + Self.newKey + [
        "-days", "30", "-subj", "/CN=\(name)", "-keyout", path("\(name).key"), "-out", path("\(name).pem"),
      ])
    return try Data(contentsOf: URL(filePath: path("\(name).pem")))
  }

  /// Makes one of a server.
  ///
  /// - Parameters:
  ///   - subject: a domain, or an address.
  ///   - authority: who signs it.
  ///   - kind: `DNS` or `IP`, as the subject is.
  /// - Returns: the PEM of both.
  package func identity(
    _ name: String, for subject: String, by authority: String, days: Int = 30, kind: String = "DNS"
  ) throws -> (certificate: [UInt8], key: [UInt8]) {
    try openssl(
      ["req"] + Self.newKey + [
        "-subj", "/CN=\(subject)", "-addext", "subjectAltName=\(kind):\(subject)", "-keyout", path("\(name).key"),
        "-out", path("\(name).csr"),
      ])
    try openssl([
      "x509", "-req", "-in", path("\(name).csr"), "-CA", path("\(authority).pem"), "-CAkey", path("\(authority).key"),
      "-copy_extensions", "copy", "-days", "\(days)", "-out", path("\(name).pem"),
    ])
    return (
      [UInt8](try Data(contentsOf: URL(filePath: path("\(name).pem")))),
      [UInt8](try Data(contentsOf: URL(filePath: path("\(name).key"))))
    )
  }

  private func path(_ name: String) -> String { directory.appending(path: name).path }

  private func openssl(_ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["openssl"] + arguments
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
  }
}
