import CGlibcShims
import Foundation
import JingleCore
import MediaCodecs
import NIOCore
import XMPPCore

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
    /// In bytes, if known.
    var size: Int64?
    /// When it was last changed, as the peer writes it.
    var date: String?
    /// The strongest digest offered, with its algorithm's name; nil where it follows at the end.
    var hash: String?
  }

  /// Why a file is not taken: the peer is told that it is too large.
  struct NoRoom: Error {}

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  nonisolated let identity: Identity
  /// Whether what is there tells that it is of the same file when that is offered again.
  nonisolated let isResumable: Bool
  private nonisolated let thread: CodecThread
  private let directory: String
  private let path: String
  private let recordPath: String
  private var descriptor: Int32
  /// How many bytes are there, in one piece from the beginning.
  private(set) var count: Int64
  /// Where the room ends that the disk holds ready.
  private var reserved: Int64
  /// Where what the disk writes already ends.
  private var writing: Int64
  /// Of what is there, as long as it is known without reading it again.
  private var hash: BackgroundHash?
  /// Of the whole file, in hexadecimal digits, once it was asked for.
  private(set) var sha256: String?

  /// Opens the part that there is of the file, or begins one.
  ///
  /// - Parameters:
  ///   - directory: where the file is to be. It must exist.
  ///   - resumes: whether what came before is of use; else it is replaced.
  /// - Throws: `CallError(.output)` when nothing can be written there, or there is not enough space.
  init(of identity: Identity, in directory: String, resumes: Bool = true, on thread: CodecThread) throws(CallError) {
    self.identity = identity
    isResumable = resumes && identity.size != nil
    self.directory = directory
    self.thread = thread
    let stem = "\(directory)/.carillon-\(identity.key)"
    var opened: (descriptor: Int32, path: String)?
    // Somebody else may be receiving the same file.
    for suffix in [""] + (1...9).map({ "-\($0)" }) {
      let path = stem + suffix + ".part"
      guard let descriptor = try Self.take(path) else { continue }
      opened = (descriptor, path)
      break
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
    let record = Self.readRecord(recordPath)
    count = resumes && record == identity ? min(Int64(status.st_size), identity.size ?? 0) : 0
    reserved = count
    writing = count
    do throws(CallError) {
      if let size = identity.size { try Self.checkSpace(in: directory, for: size - Int64(status.st_blocks) * 512) }
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

  /// Opens or makes a part that is nobody else's.
  ///
  /// - Returns: nil when somebody has it.
  private static func take(_ path: String) throws(CallError) -> Int32? {
    for _ in 0..<3 {
      let descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { throw .output("\(path) cannot be opened or made") }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        close(descriptor)
        return nil
      }
      // Who had it before may have removed it meanwhile, or put it in its place: then it is the user's.
      if isNamed(path, descriptor) {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_nlink > 1 else { return descriptor }
        unlink(path)
      }
      close(descriptor)
    }
    return nil
  }

  private static func checkSpace(in directory: String, for size: Int64) throws(CallError) {
    var status = statvfs()
    guard statvfs(directory, &status) == 0 else { return }
    let available = Int64(clamping: UInt64(status.f_bavail) * UInt64(status.f_frsize))
    guard size <= available else {
      throw CallError(
        .output, "\(directory) has room for \(available) bytes and not for the \(size) that are still to come.",
        cause: NoRoom())
    }
  }

  /// Who else can write into the folder may have put a FIFO there, which would wait, or a link.
  static func readRecord(_ path: String) -> Identity? {
    let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    guard let data = try? file.read(upToCount: 1 << 16) else { return nil }
    return try? JSONDecoder().decode(Identity.self, from: data)
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

  /// Begins to receive from `offset` on. What is there before is hashed first.
  ///
  /// - Parameter algorithms: those that the sender's word will be in.
  func begin(at offset: Int64, _ algorithms: some Sequence<HashAlgorithm>) async throws(CallError) {
    guard offset <= count else {
      throw CallError(
        .protocolViolation, "\(identity.name) would begin at byte \(offset), and what is before is not there.")
    }
    if offset < count {
      guard ftruncate(descriptor, off_t(offset)) == 0 else { throw .output("\(path) cannot be written") }
      count = offset
    }
    reserved = count
    writing = count
    var hash = RunningHash(Set(algorithms).union([.sha256]))
    try await read(0..<count) { hash.update($0) }
    self.hash = BackgroundHash(hash, on: FileThreads.hashing.next())
  }

  /// Adds what comes next.
  ///
  /// - Throws: `CallError(.output)`; what came before is kept.
  func append(_ bytes: ByteBuffer) async throws(CallError) {
    reserve(bytes.readableBytes)
    try bytes.withUnsafeReadableBytes { bytes throws(CallError) in
      var rest = bytes
      while !rest.isEmpty {
        let written = pwrite(descriptor, rest.baseAddress, rest.count, off_t(count))
        if written < 0, errno == EINTR { continue }
        guard written > 0 else { throw .output("\(identity.name) cannot be written to \(directory)") }
        count += Int64(written)
        rest = UnsafeRawBufferPointer(rebasing: rest[written...])
      }
    }
    writeAlong()
    await hash?.update(bytes)
  }

  /// Has the disk write what came a gigabyte ago, and waits for it where it falls behind: else all that waits in memory is
  /// written at the end, and where that is much and the disk is slow, the sender does not wait for as long.
  private func writeAlong() {
    let (piece, lag): (Int64, Int64) = (16 << 20, 1 << 30)
    while count - writing >= lag + piece {
      carillon_begin_writing(descriptor, off_t(writing), off_t(piece))
      if writing >= 8 * piece { carillon_finish_writing(descriptor, off_t(writing - 8 * piece), off_t(piece)) }
      writing += piece
    }
  }

  /// Has the disk hold room ready for what comes next, in large pieces: that halves what writing costs. No more than one
  /// piece is taken from others on a peer's word.
  private func reserve(_ length: Int) {
    guard let size = identity.size, count + Int64(length) > reserved, reserved < size else { return }
    let piece = min(size - reserved, max(Int64(length), 64 << 20))
    // Where the file system cannot, or is full, writing tells.
    _ = carillon_fallocate_keeping_size(descriptor, off_t(reserved), off_t(piece))
    reserved += piece
  }

  /// The hash of the whole file, or of a range of it.
  func digest(
    _ algorithm: HashAlgorithm, _ range: JingleCore.FileTransfer.Part?
  ) async throws(CallError) -> HashValue? {
    var values = await hash.take()?.finish() ?? []
    sha256 = values.first { $0.algorithm == .sha256 }?.hexadecimal ?? sha256
    if range == nil, let value = values.first(where: { $0.algorithm == algorithm }) { return value }
    var hash = RunningHash([algorithm])
    let start = min(range?.offset ?? 0, count)
    try await read(start..<min(count, start + (range?.length ?? count))) { hash.update($0) }
    values = hash.finish()
    if range == nil, algorithm == .sha256 { sha256 = values.first?.hexadecimal }
    return values.first
  }

  /// Hands what is there over piece by piece. Between them there is time for others on the same thread, and for whoever
  /// lets go of the part, which ends it.
  private func read(_ range: Range<Int64>, _ body: (UnsafeRawBufferPointer) -> Void) async throws(CallError) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
    defer { buffer.deallocate() }
    var offset = range.lowerBound
    while offset < range.upperBound {
      let length = pread(
        descriptor, buffer.baseAddress, min(buffer.count, Int(range.upperBound - offset)), off_t(offset))
      guard length > 0 else { throw .output("\(path) cannot be read") }
      body(UnsafeRawBufferPointer(rebasing: buffer[..<length]))
      offset += Int64(length)
      if offset / FileThreads.turn != (offset - Int64(length)) / FileThreads.turn { await Task.yield() }
    }
  }

  /// Puts the file in its place, under its name or, where there is something of that name, under one with a number.
  ///
  /// - Parameter names: the name and those to take instead, in this order.
  /// - Returns: the path.
  func publish(as names: some Sequence<String> & Sendable) async throws(CallError) -> String {
    if sha256 == nil { _ = try await digest(.sha256, nil) }
    guard fsync(descriptor) == 0 else { throw .output("\(identity.name) cannot be written to \(directory)") }
    for name in names {
      let target = "\(directory)/\(name)"
      guard move(to: target) else {
        guard errno == EEXIST else { throw .output("\(target) cannot be made") }
        continue
      }
      fchmod(descriptor, 0o666 & ~Self.mask)
      unlink(recordPath)
      release()
      syncFolder()
      return target
    }
    throw CallError(.output, "There are too many files named like \(identity.name) in \(directory).")
  }

  /// Has the disk know the name as well: the sender may remove its own file then.
  private func syncFolder() {
    let folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { return }
    fsync(folder)
    close(folder)
  }

  /// Gives the part another name, if that is nobody's; else tells by `errno`.
  private func move(to target: String) -> Bool {
    if carillon_rename_without_replacing(path, target) == 0 { return true }
    // Some file systems know one of the two only: network ones links, those of memory cards none.
    guard errno == EINVAL || errno == ENOSYS, link(path, target) == 0 else { return false }
    unlink(path)
    return true
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
    // Gives back what was reserved.
    ftruncate(descriptor, off_t(count))
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
    for byte in "\(peer)\u{0}\(name)\u{0}\(size ?? -1)\u{0}\(date ?? "")\u{0}\(self.hash ?? "")".utf8 {
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
