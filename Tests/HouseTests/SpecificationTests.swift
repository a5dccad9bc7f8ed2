import Foundation
import Testing

/// Extensions live in folders that name them, and the README's and doap.xml's tables tell the truth about them.
@Suite struct SpecificationTests {
  /// Numbers of the specifications that the sources' `- Specification:` lines cite, such as `XEP-0166` or `RFC 3550`.
  static func cited(_ kind: Regex<(Substring, Substring)>) throws -> Set<String> {
    var numbers = Set<String>()
    for file in try SourceTree.swiftFiles(in: "Sources") {
      for line in try SourceTree.text(file).split(separator: "\n") where line.contains("- Specification:") {
        numbers.formUnion(line.matches(of: kind).map { String($0.1) })
      }
    }
    return numbers
  }

  /// Each `XEPnnnn-Name` folder's number, with the target that it lies in.
  static func folders() throws -> [(xep: String, target: String)] {
    try SourceTree.targets().flatMap { target in
      try FileManager.default.contentsOfDirectory(atPath: SourceTree.root.appending(path: "Sources/\(target)").path)
        .compactMap { $0.firstMatch(of: /^XEP(\d{4})-[A-Z]\w+$/).map { (String($0.1), target) } }
    }
  }

  /// What the rows of the README's tables name in their first column.
  static func tabled(_ kind: Regex<(Substring, Substring)>) throws -> Set<String> {
    let rows = try SourceTree.text("README.md").split(separator: "\n").filter { $0.hasPrefix("| [") }
    return Set(rows.compactMap { $0.split(separator: "|").first?.firstMatch(of: kind).map { String($0.1) } })
  }

  @Test("An extension's folder lies in JingleCore or XMPPCore, and no extension has two")
  func places() throws {
    let folders = try Self.folders()
    for folder in folders { #expect(["JingleCore", "XMPPCore"].contains(folder.target), "XEP\(folder.xep)") }
    #expect(Set(folders.map(\.xep)).count == folders.count)
  }

  @Test("Every XEP folder has its tests, named after it")
  func testsOfExtensions() throws {
    let tests = try SourceTree.swiftFiles(in: "Tests")
    for folder in try Self.folders() {
      #expect(tests.contains { $0.contains("/XEP\(folder.xep)") }, "no test file is named XEP\(folder.xep)…")
    }
  }

  @Test("The README's table lists the XEPs that have a folder or are cited, and no other")
  func readmeExtensions() throws {
    let built = try Self.cited(/XEP-(\d{4})/).union(Self.folders().map(\.xep))
    try expectEqual(Self.tabled(/XEP-(\d{4})/), built, what: "README.md's XEPs")
  }

  @Test("The README's table lists the RFCs that the sources cite, and no other")
  func readmeRFCs() throws {
    try expectEqual(Self.tabled(/RFC (\d+)/), Self.cited(/RFC (\d+)/), what: "README.md's RFCs")
  }

  @Test("doap.xml lists what the README lists")
  func doap() throws {
    let doap = try SourceTree.text("doap.xml")
    try expectEqual(
      Set(doap.matches(of: /xep-(\d{4})\.html/).map { String($0.1) }), Self.tabled(/XEP-(\d{4})/),
      what: "doap.xml's XEPs")
    try expectEqual(
      Set(doap.matches(of: /info\/rfc(\d+)"/).map { String($0.1) }), Self.tabled(/RFC (\d+)/), what: "doap.xml's RFCs")
  }

  private func expectEqual(_ listed: Set<String>, _ built: Set<String>, what: String) throws {
    #expect(
      listed.subtracting(built).isEmpty, "\(what) without a folder or citation: \(listed.subtracting(built).sorted())")
    #expect(built.subtracting(listed).isEmpty, "\(what) lack: \(built.subtracting(listed).sorted())")
  }
}
