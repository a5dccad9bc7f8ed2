import Foundation
import Testing

@testable import CarillonCLI

@Suite struct DeviceResourceTests {
  private let folder = FileManager.default.temporaryDirectory.appending(path: "carillon-\(UUID())")

  @Test("Devices that run at once have different resources, which tell nothing of the account")
  func atOnce() {
    defer { try? FileManager.default.removeItem(at: folder) }
    let resources = (0..<5).map { _ in DeviceResource.claim(for: "alice@example.org", in: folder) }
    #expect(Set(resources).count == 5)
    #expect(resources.allSatisfy { $0.count == 12 && !$0.contains("alice") })
  }

  @Test("A kept resource is used again once it is free, and a damaged one is replaced")
  func kept() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data("abcdefghij23".utf8).write(to: folder.appending(path: "bob@example.org.device"))
    try Data("no such thing".utf8).write(to: folder.appending(path: "bob@example.org.device-2"))
    #expect(DeviceResource.claim(for: "bob@example.org", in: folder) == "abcdefghij23")
    let second = DeviceResource.claim(for: "bob@example.org", in: folder)
    #expect(second.count == 12)
    #expect(try String(contentsOf: folder.appending(path: "bob@example.org.device-2"), encoding: .utf8) == second)
  }

  @Test("Without a folder to keep it in, a resource is still there")
  func nowhere() {
    #expect(DeviceResource.claim(for: "carol@example.org", in: URL(filePath: "/proc/none")).count == 12)
  }
}
