import Foundation
import MediaCodecs

extension IncomingFile {
  /// Removes what is left in a folder of transfers that broke off and that nobody went on with.
  ///
  /// Nobody else does: a part may be gone on with after any time. Only files with the names that parts have are looked
  /// at, that are this user's and that no transfer is writing to.
  ///
  /// - Parameters:
  ///   - directory: as it was given to `receive(into:)`.
  ///   - age: since something last came.
  /// - Returns: how many transfers' parts were removed.
  /// - Throws: `CallError(.output)` when the folder cannot be read.
  @discardableResult
  public static func removeParts(
    in directory: String, olderThan age: Duration = .seconds(7 * 86_400)
  ) async throws -> Int {
    try await PartCleaner(FileThreads.shared.next()).clean(directory, age, at: Date())
  }
}

/// Lives on a thread of its own, since disks are slow.
actor PartCleaner {
  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  private nonisolated let thread: CodecThread

  init(_ thread: CodecThread) { self.thread = thread }

  func clean(_ directory: String, _ age: Duration, at now: Date) throws -> Int {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: directory)
    } catch {
      throw CallError(.output, "\(directory) cannot be read: \(error.localizedDescription).", cause: error)
    }
    let before = now.timeIntervalSince1970 - Double(age.components.seconds)
    var count = 0
    for name in names where name.wholeMatch(of: PartialFile.partName) != nil {
      if Self.remove("\(directory)/\(name)", before) { count += 1 }
    }
    // Records whose parts are gone: of a process that was killed between the two.
    for name in names where name.wholeMatch(of: PartialFile.recordName) != nil {
      let (path, part) = ("\(directory)/\(name)", "\(directory)/\(name.dropLast(".json".count))")
      var status = stat()
      if lstat(part, &status) != 0, errno == ENOENT, lstat(path, &status) == 0, status.isStale(before) { unlink(path) }
    }
    return count
  }

  private static func remove(_ path: String, _ before: Double) -> Bool {
    let descriptor = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.isStale(before), flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      return false
    }
    // With the lock, nobody begins to write to it before it is gone; and who did before, and has ended, changed it.
    guard fstat(descriptor, &status) == 0, status.isStale(before), isNamed(path, descriptor) else { return false }
    unlink(path + ".json")
    return unlink(path) == 0
  }
}

/// Whether a path leads to an open file itself, and neither to a link to it nor to another file.
func isNamed(_ path: String, _ descriptor: Int32) -> Bool {
  var (file, named) = (stat(), stat())
  return fstat(descriptor, &file) == 0 && lstat(path, &named) == 0
    && (file.st_dev, file.st_ino) == (named.st_dev, named.st_ino)
}

extension PartialFile {
  /// As its initializer and `Identity.key` make them.
  fileprivate static var partName: Regex<Substring> { /\.carillon-[0-9a-f]{1,16}(?:-[1-9])?\.part/ }
  fileprivate static var recordName: Regex<Substring> { /\.carillon-[0-9a-f]{1,16}(?:-[1-9])?\.part\.json/ }
}

extension stat {
  fileprivate func isStale(_ before: Double) -> Bool {
    st_mode & S_IFMT == S_IFREG && st_uid == geteuid() && Double(st_mtim.tv_sec) < before
  }
}
