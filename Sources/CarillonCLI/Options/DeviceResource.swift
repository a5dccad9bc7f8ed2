import Foundation

/// The resource that this device has on an account: random, so that it tells nothing, and the same from run to run, so
/// that a call survives a reconnection and servers do not fill with devices that never come back.
///
/// Commands that run at once are devices of their own: each holds a lock on the file it took its resource from, and the
/// next one takes another. Kept in `$XDG_STATE_HOME/carillon` (`~/.local/state/carillon`).
enum DeviceResource {
  /// How many commands may run at once on one account before resources are no longer remembered.
  private static let slots = 32

  /// - Parameter account: the bare address.
  /// - Returns: the resource, held until the process ends. Where nothing can be kept, a random one.
  static func claim(for account: String, in folder: URL = stateFolder) -> String {
    let name = account.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(.init(charactersIn: "@.-_")))
    guard let name, (try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)) != nil
    else { return random() }
    for slot in 0..<slots {
      let path = folder.appending(path: slot == 0 ? "\(name).device" : "\(name).device-\(slot + 1)").path
      let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
      guard file >= 0 else { return random() }
      guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
        close(file)
        continue
      }
      // The descriptor stays open on purpose: the lock lasts as long as the process.
      var bytes = [UInt8](repeating: 0, count: 64)
      let count = read(file, &bytes, bytes.count)
      let kept = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
      if kept.utf8.count == length, kept.allSatisfy({ alphabet.contains($0) }) { return kept }
      let fresh = random()
      ftruncate(file, 0)
      pwrite(file, fresh, fresh.utf8.count, 0)
      return fresh
    }
    return random()
  }

  private static var stateFolder: URL {
    let environment = ProcessInfo.processInfo.environment["XDG_STATE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
    let base = environment.map { URL(filePath: $0) } ?? URL.homeDirectory.appending(path: ".local/state")
    return base.appending(path: "carillon")
  }

  private static let length = 12
  private static let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567")

  private static func random() -> String {
    String((0..<length).map { _ in alphabet.randomElement()! })
  }
}
