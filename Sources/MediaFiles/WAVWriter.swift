import Glibc

/// Records decoded audio as a WAV file of 16-bit PCM at 48 kHz.
///
/// The file is playable at any moment up to the last half second, even when the process is killed. The first block decides between
/// mono and stereo; later ones are converted. A file that is there already is replaced. Beyond 4 GiB (12 hours of mono) it
/// becomes RF64, which every common player reads.
public final class WAVWriter: Sendable {
  private let file: WAVFile
  private let blocks: WriteBehind<WAVFile.Block>

  /// - Throws: `cannotCreate` or `cannotWrite`.
  public init(path: String) throws(MediaFileError) {
    let file = try WAVFile(path: path)
    self.file = file
    blocks = WriteBehind(path: path) { blocks throws(MediaFileError) in try file.append(blocks) }
  }

  deinit { finish() }

  /// Why the recording stopped before its end, if it did.
  public var failure: MediaFileError? { blocks.failure }

  /// - Parameters:
  ///   - samples: 48 kHz, interleaved; copied.
  ///   - channelCount: 1 or 2.
  /// - Throws: why the recording failed, once; what was written before stays.
  public func write(_ samples: Span<Int16>, channelCount: Int) throws(MediaFileError) {
    precondition((1...2).contains(channelCount), "audio is mono or stereo")
    let copy = samples.withUnsafeBufferPointer { Array($0) }
    try blocks.append(.init(samples: copy, channelCount: channelCount), weight: copy.count / channelCount)
  }

  /// Completes the file; returns when it is on its way to the disk. Blocks that come later are ignored.
  public func finish() {
    blocks.finish { [file] () throws(MediaFileError) in try file.close() }
  }
}

/// The file itself. `@unchecked Sendable`: after `init`, only the writer's file thread uses it.
private final class WAVFile: @unchecked Sendable {
  struct Block: Sendable {
    var samples: [Int16]
    var channelCount: Int
  }

  private let path: String
  private var descriptor: Int32
  private var header = WAVHeader(channelCount: 1, dataSize: 0)
  private var hasChannelCount = false

  init(path: String) throws(MediaFileError) {
    self.path = path
    descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw MediaFileError(code: .cannotCreate, path: path, reason: String(cString: strerror(errno)))
    }
    try writeHeader()
  }

  deinit {
    if descriptor >= 0 { Glibc.close(descriptor) }
  }

  func append(_ blocks: [Block]) throws(MediaFileError) {
    if !hasChannelCount, let first = blocks.first {
      header.channelCount = first.channelCount
      hasChannelCount = true
    }
    let samples = blocks.flatMap { converted($0) }
    try write(samples.span.bytes, at: WAVHeader.size + header.dataSize)
    // The header follows the data: at no moment does it promise more than there is.
    header.dataSize += samples.count * 2
    try writeHeader()
  }

  func close() throws(MediaFileError) {
    let status = Glibc.close(descriptor)
    descriptor = -1
    if status != 0 { throw failure() }
  }

  private func converted(_ block: Block) -> [Int16] {
    switch (block.channelCount, header.channelCount) {
    case (1, 2): block.samples.flatMap { [$0.littleEndian, $0.littleEndian] }
    case (2, 1):
      stride(from: 0, to: block.samples.count - 1, by: 2).map {
        Int16((Int32(block.samples[$0]) + Int32(block.samples[$0 + 1])) / 2).littleEndian
      }
    default: block.samples.map(\.littleEndian)
    }
  }

  private func writeHeader() throws(MediaFileError) {
    let bytes = header.bytes
    try write(bytes.span.bytes, at: 0)
  }

  private func write(_ bytes: RawSpan, at offset: Int) throws(MediaFileError) {
    try bytes.withUnsafeBytes { bytes throws(MediaFileError) in
      var done = 0
      while done < bytes.count {
        let count = pwrite(descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done, offset + done)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { throw failure() }
        done += count
      }
    }
  }

  private func failure() -> MediaFileError {
    MediaFileError(code: .cannotWrite, path: path, reason: String(cString: strerror(errno)))
  }
}

/// What stands before the samples: room for 64-bit sizes, the format, and the sizes so far.
///
/// - Specification: EBU Tech 3306 (RF64) §3: a file begins as RIFF with a `JUNK` chunk, which becomes `ds64` when the sizes
///   no longer fit into 32 bits.
struct WAVHeader {
  static let size = 80

  var channelCount: Int
  /// Bytes of samples.
  var dataSize: Int

  var bytes: [UInt8] {
    let riffSize = Self.size - 8 + dataSize
    let isLarge = riffSize > Int(UInt32.max)
    var bytes: [UInt8] = []
    func text(_ text: String) { bytes += text.utf8 }
    func number(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }

    text(isLarge ? "RF64" : "RIFF")
    number(isLarge ? UInt32.max : UInt32(riffSize))
    text("WAVE")
    text(isLarge ? "ds64" : "JUNK")
    number(UInt32(28))
    number(isLarge ? UInt64(riffSize) : 0)
    number(isLarge ? UInt64(dataSize) : 0)
    number(isLarge ? UInt64(dataSize / (2 * channelCount)) : 0)
    number(UInt32(0))
    text("fmt ")
    number(UInt32(16))
    number(UInt16(1))
    number(UInt16(channelCount))
    number(UInt32(48_000))
    number(UInt32(96_000 * channelCount))
    number(UInt16(2 * channelCount))
    number(UInt16(16))
    text("data")
    number(isLarge ? UInt32.max : UInt32(dataSize))
    return bytes
  }
}
