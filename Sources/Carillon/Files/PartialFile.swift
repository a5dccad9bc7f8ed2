import Foundation
import MediaCodecs
import NIOCore

/// What has come of a file so far, in the folder where it is to be once it is whole: private, hidden, and kept with what
/// is needed to go on with it later, even by another process.
///
/// Lives on a thread of its own, since disks are slow. Of two that receive the same file at once, one starts anew.
actor PartialFile {
  /// What tells an offer of the same file again from another file's.
  struct Identity: Codable, Hashable, Sendable {
    /// The account that sends.
    var peer: String
    var name: String
    /// In bytes.
    var size: Int64
    /// When it was last changed, as the peer writes it.
    var date: String?
    /// The strongest digest offered, with its algorithm's name; nil where it follows at the end.
    var hash: String?
  }

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  nonisolated let identity: Identity
  private nonisolated let thread: CodecThread
  private let directory: String
  private let path: String
  private let recordPath: String
  private var descriptor: Int32
  /// How many bytes are there, in one piece from the beginning.
  private(set) var count: Int64

  /// Opens the part that there is of the file, or begins one.
  ///
  /// - Parameters:
  ///   - directory: where the file is to be. It must exist.
  ///   - resumes: whether what came before is of use; else it is replaced.
  /// - Throws: `CallError(.output)` when nothing can be written there, or there is not enough space.
  init(of identity: Identity, in directory: String, resumes: Bool = true, on thread: CodecThread) throws(CallError) {
    self.identity = identity
    self.directory = directory
    self.thread = thread
    let stem = "\(directory)/.carillon-\(identity.key)"
    var opened: (descriptor: Int32, path: String)?
    // Somebody else may be receiving the same file.
    for suffix in [""] + (1...9).map({ "-\($0)" }) {
      let path = stem + suffix + ".part"
      let descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { throw .output("No file can be made in \(directory)") }
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
        opened = (descriptor, path)
        break
      }
      close(descriptor)
    }
    guard let opened else {
      throw CallError(.output, "\(identity.name) is being received into \(directory) many times already.")
    }
    (descriptor, path) = opened
    recordPath = path + ".json"
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw CallError(.output, "\(path) is in the way: it is no file. Move it elsewhere.")
    }
    let record = try? JSONDecoder().decode(Identity.self, from: Data(contentsOf: URL(fileURLWithPath: recordPath)))
    count = resumes && record == identity ? min(Int64(status.st_size), identity.size) : 0
    do throws(CallError) {
      try Self.checkSpace(in: directory, for: identity.size - Int64(status.st_blocks) * 512)
      guard ftruncate(descriptor, off_t(count)) == 0 else { throw .output("\(path) cannot be written") }
      try Self.write(identity, to: recordPath)
    } catch {
      if count == 0 { unlink(path) }
      close(descriptor)
      throw error
    }
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
  }

  private static func checkSpace(in directory: String, for size: Int64) throws(CallError) {
    var status = statvfs()
    guard statvfs(directory, &status) == 0 else { return }
    let available = Int64(clamping: UInt64(status.f_bavail) * UInt64(status.f_frsize))
    guard size <= available else {
      throw CallError(
        .output, "\(directory) has room for \(available) bytes and not for the \(size) that are still to come.")
    }
  }

  private static func write(_ identity: Identity, to path: String) throws(CallError) {
    do {
      let url = URL(fileURLWithPath: path)
      try JSONEncoder().encode(identity).write(to: url, options: .atomic)
      chmod(path, 0o600)
    } catch {
      throw CallError(.output, "\(path) cannot be written: \(error.localizedDescription).", cause: error)
    }
  }

  /// Hands what is there over piece by piece, from the beginning.
  func read(_ body: (UnsafeRawBufferPointer) -> Void) throws(CallError) {
    try withUnsafeTemporaryAllocation(byteCount: 1 << 20, alignment: 16) { buffer throws(CallError) in
      var offset: Int64 = 0
      while offset < count {
        let length = pread(descriptor, buffer.baseAddress, min(buffer.count, Int(count - offset)), off_t(offset))
        guard length > 0 else { throw .output("\(path) cannot be read") }
        body(UnsafeRawBufferPointer(rebasing: buffer[..<length]))
        offset += Int64(length)
      }
    }
  }

  /// Adds what comes next.
  ///
  /// - Throws: `CallError(.output)`; what came before is kept.
  func append(_ bytes: UnsafeRawBufferPointer) throws(CallError) {
    var rest = bytes
    while !rest.isEmpty {
      let written = pwrite(descriptor, rest.baseAddress, rest.count, off_t(count))
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { throw .output("\(identity.name) cannot be written to \(directory)") }
      count += Int64(written)
      rest = UnsafeRawBufferPointer(rebasing: rest[written...])
    }
  }

  /// Throws away all that came: it is of another file.
  func startAnew() throws(CallError) {
    guard ftruncate(descriptor, 0) == 0 else { throw .output("\(path) cannot be written") }
    count = 0
  }

  /// Puts the file in its place, under its name or, where there is something of that name, under one with a number.
  ///
  /// - Parameter names: the name and those to take instead, in this order.
  /// - Returns: the path.
  func publish(as names: some Sequence<String>) throws(CallError) -> String {
    guard fsync(descriptor) == 0 else { throw .output("\(identity.name) cannot be written to \(directory)") }
    for name in names {
      let target = "\(directory)/\(name)"
      guard link(path, target) != 0 else {
        fchmod(descriptor, 0o666 & ~Self.mask)
        discard()
        return target
      }
      guard errno == EEXIST else { throw .output("\(target) cannot be made") }
    }
    throw CallError(.output, "There are too many files named like \(identity.name) in \(directory).")
  }

  /// What new files are not to be allowed; asked for once, since asking changes it for a moment.
  private static let mask: mode_t = {
    let mask = umask(0o077)
    umask(mask)
    return mask
  }()

  /// Removes the part.
  func discard() {
    guard descriptor >= 0 else { return }
    unlink(path)
    unlink(recordPath)
    release()
  }

  /// Lets go of the part and keeps it for later.
  func keep() {
    guard descriptor >= 0 else { return }
    if count == 0 { return discard() }
    fsync(descriptor)
    release()
  }

  private func release() {
    close(descriptor)
    descriptor = -1
  }
}

extension PartialFile.Identity {
  /// Names the part among others; says nothing of the file to who looks at the folder.
  fileprivate var key: String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325  // FNV-1a: the same in each process.
    for byte in "\(peer)\u{0}\(name)\u{0}\(size)\u{0}\(date ?? "")\u{0}\(self.hash ?? "")".utf8 {
      hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
    }
    return String(hash, radix: 16)
  }
}

extension CallError {
  /// A system call's failure, told by `errno`.
  static func output(_ what: String) -> CallError {
    CallError(.output, "\(what): \(String(cString: strerror(errno))).")
  }
}
