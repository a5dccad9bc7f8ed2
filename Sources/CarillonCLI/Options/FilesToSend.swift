import Foundation

/// What `send` was told to send, as single files, checked before anything is sent.
struct FilesToSend: Equatable {
  /// In the order in which they go.
  var paths: [String] = []
  /// What folders hold and what does not go, and why.
  var skipped: [String] = []

  /// - Parameter arguments: files and folders. A folder stands for the files in it and in its folders, without hidden ones.
  ///   What is named itself may be a link; links inside of folders may lead anywhere, and do not go.
  /// - Throws: `CommandFailure` when something is not there, is no file, or cannot be read.
  init(_ arguments: [String]) throws {
    for path in arguments {
      var status = stat()
      guard stat(path, &status) == 0 else { throw Self.failure(path) }
      switch status.st_mode & S_IFMT {
      case S_IFDIR:
        let count = paths.count
        try addFolder(path)
        if paths.count == count { skipped.append("\(path): holds no files") }
      case S_IFREG: try addFile(path)
      default:
        throw CommandFailure(
          code: "input", message: "\(path) is no regular file, and only those can be sent.", status: .failure)
      }
    }
    guard paths.isEmpty else { return }
    throw CommandFailure(
      code: "input", message: "There is nothing to send: \(skipped.joined(separator: ", ")).", status: .failure)
  }

  private mutating func addFile(_ path: String) throws {
    guard access(path, R_OK) == 0 else { throw Self.failure(path) }
    paths.append(path)
  }

  private mutating func addFolder(_ folder: String) throws {
    guard access(folder, R_OK | X_OK) == 0 else { throw Self.failure(folder) }
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { !$0.hasPrefix(".") }.sorted()
    for name in names {
      let path = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
      var status = stat()
      guard lstat(path, &status) == 0 else { throw Self.failure(path) }
      switch status.st_mode & S_IFMT {
      case S_IFDIR: try addFolder(path)
      case S_IFREG: try addFile(path)
      case S_IFLNK: skipped.append("\(path): a link")
      default: skipped.append("\(path): no regular file")
      }
    }
  }

  /// A system call's failure, told by `errno`.
  private static func failure(_ path: String) -> CommandFailure {
    let error = errno
    let message =
      error == ENOENT ? "There is no \(path)." : "\(path) cannot be read: \(String(cString: strerror(error)))."
    return CommandFailure(code: "input", message: message, status: .failure)
  }
}
