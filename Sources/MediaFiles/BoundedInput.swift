import CFFmpeg
import CFFmpegShims
import Glibc
import MediaTime

/// A regular file for FFmpeg's demuxers that is trusted in nothing: no more of it is read than a bound says, and nothing
/// after a deadline. Belongs to one caller at a time.
final class BoundedInput {
  private static let bufferSize = 64 << 10

  /// What a demuxer reads through; its format is closed before this goes.
  private(set) var context: UnsafeMutablePointer<AVIOContext>?
  let deadline: Instant
  private let descriptor: Int32
  private let size: Int64
  private var offset: Int64 = 0
  private var left: Int

  /// - Parameter maximumLength: how many bytes are read, twice read ones counted twice.
  init(path: String, maximumLength: Int, deadline: Instant) throws(MediaFileError) {
    left = maximumLength
    self.deadline = deadline
    // A FIFO would wait for its other end.
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      let error = errno
      throw MediaFileError(
        code: error == ENOENT ? .noSuchFile : .cannotOpen, path: path, reason: String(cString: strerror(error)))
    }
    var status = stat()
    let isRegular = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    size = Int64(status.st_size)
    let buffer = av_malloc(Self.bufferSize)?.assumingMemoryBound(to: UInt8.self)
    context = avio_alloc_context(
      buffer, Int32(Self.bufferSize), 0, Unmanaged.passUnretained(self).toOpaque(),
      { opaque, buffer, count in BoundedInput.from(opaque)?.read(buffer, Int(count)) ?? FFmpegStatus.endOfFile }, nil,
      { opaque, offset, whence in BoundedInput.from(opaque)?.seek(offset, whence) ?? -1 })
    guard isRegular, context != nil else {
      throw MediaFileError(code: .cannotOpen, path: path, reason: isRegular ? "out of memory" : "no regular file")
    }
  }

  deinit {
    if let context { av_freep(&context.pointee.buffer) }
    avio_context_free(&context)
    close(descriptor)
  }

  var isOverdue: Bool { SystemClock.now >= deadline }

  private static func from(_ opaque: UnsafeMutableRawPointer?) -> BoundedInput? {
    opaque.map { Unmanaged<BoundedInput>.fromOpaque($0).takeUnretainedValue() }
  }

  private func read(_ buffer: UnsafeMutablePointer<UInt8>?, _ count: Int) -> Int32 {
    guard left > 0, !isOverdue else { return carillon_averror(EIO) }
    let count = pread(descriptor, buffer, min(count, left), off_t(offset))
    guard count > 0 else { return count == 0 ? FFmpegStatus.endOfFile : carillon_averror(EIO) }
    left -= count
    offset += Int64(count)
    return Int32(count)
  }

  private func seek(_ offset: Int64, _ whence: Int32) -> Int64 {
    let start: Int64
    switch whence & ~AVSEEK_FORCE {
    case AVSEEK_SIZE: return size
    case SEEK_SET: start = 0
    case SEEK_CUR: start = self.offset
    case SEEK_END: start = size
    default: return Int64(carillon_averror(EINVAL))
    }
    let (target, overflow) = start.addingReportingOverflow(offset)
    guard !overflow, target >= 0 else { return Int64(carillon_averror(EINVAL)) }
    self.offset = target
    return target
  }
}
