import Carillon
import Dispatch
import Foundation
import JingleCore
import MediaFiles

extension OutgoingFile {
  /// How long a decoder that has gone astray is waited for.
  private static let patience = 4.0

  /// The file with a small picture of it, if it is an image or a film of which one can be made within 3 s.
  func pictured() async -> OutgoingFile {
    guard let path, let made = await Self.thumbnail(of: path) else { return self }
    var pictured = self
    pictured.thumbnail = FileThumbnail(
      made.bytes, mediaType: MediaThumbnail.mediaType, width: made.size.width, height: made.size.height)
    return pictured
  }

  private static func thumbnail(of path: String) async -> MediaThumbnail? {
    let (answers, answer) = AsyncStream.makeStream(of: MediaThumbnail?.self, bufferingPolicy: .bufferingOldest(1))
    let queue = DispatchQueue.global(qos: .userInitiated)
    queue.async { answer.yield(try? MediaThumbnail(of: path)) }
    queue.asyncAfter(deadline: .now() + patience) { answer.yield(nil) }
    for await thumbnail in answers { return thumbnail }
    return nil
  }
}

/// Where the thumbnails of files that are offered are put.
struct ThumbnailFolder: Sendable {
  private static let endings = [
    "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif", "image/avif": "avif",
    "image/bmp": "bmp",
  ]

  let path: String

  /// Writes one, under the file's name and an ending of its own, never in another's place.
  ///
  /// - Parameter name: a safe name.
  /// - Returns: where it is.
  /// - Throws: `CommandFailure` when its type is not one of images', or it cannot be written.
  func keep(_ thumbnail: FileThumbnail, of name: String) throws -> String {
    let type = thumbnail.mediaType.prefix { $0 != ";" && !$0.isWhitespace }.lowercased()
    guard let ending = Self.endings[type] else {
      throw CommandFailure(
        code: "protocolViolation", message: "The thumbnail of \(name) is no image, but \(thumbnail.mediaType).",
        status: .protocolError)
    }
    for number in 0...999 {
      let target = "\(path)/\(SafeFileName.numbered("\(name).\(ending)", number))"
      let file = open(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
      if file < 0, errno == EEXIST { continue }
      guard file >= 0 else { throw Self.failure(target) }
      let handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
      do { try handle.write(contentsOf: thumbnail.bytes) } catch {
        unlink(target)
        throw Self.failure(target)
      }
      return target
    }
    throw CommandFailure(
      code: "output", message: "\(path) holds too many thumbnails of files named \(name).", status: .cannotCreateOutput)
  }

  private static func failure(_ path: String) -> CommandFailure {
    let words = String(cString: strerror(errno))
    return CommandFailure(
      code: "output", message: "\(path) cannot be written: \(words).", status: .cannotCreateOutput)
  }
}
