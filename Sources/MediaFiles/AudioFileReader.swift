import CFFmpeg
import Synchronization

/// Plays a media file: any that FFmpeg's libraries read, of a video file the sound.
///
/// Decodes as it is read, with bounded memory, to 48 kHz interleaved Int16. Mono stays mono; everything else becomes stereo.
/// Local files only: playlists in a file cannot make it open the network.
///
/// `@unchecked Sendable`: `decoder` is used only while `lock` is held.
public final class AudioFileReader: @unchecked Sendable {
  /// 1 or 2.
  public let channelCount: Int
  private let decoder: AudioFileDecoder
  private let lock = Mutex(())

  /// Opens the file and decodes its first samples, so that what cannot be played is told here.
  public init(path: String) throws(MediaFileError) {
    decoder = try AudioFileDecoder(path: path)
    channelCount = decoder.channelCount
  }

  /// Fills `samples` with 48 kHz, interleaved Int16.
  ///
  /// Damaged places inside the file are left out.
  ///
  /// - Returns: how many sample frames were written; fewer than there was room for means that the file has ended.
  public func read(into samples: inout MutableSpan<Int16>) throws(MediaFileError) -> Int {
    try lock.withLock { _ throws(MediaFileError) in
      var filled = 0
      while filled < samples.count {
        if decoder.pending.isEmpty, try !decoder.decodeMore() { break }
        let count = min(samples.count - filled, decoder.pending.count)
        for (offset, sample) in decoder.pending.prefix(count).enumerated() { samples[filled + offset] = sample }
        decoder.pending.removeFirst(count)
        filled += count
      }
      return filled / channelCount
    }
  }
}

/// A file's audio stream and the resampler behind it.
private final class AudioFileDecoder {
  let channelCount: Int
  /// Decoded and not yet read: at most what one packet of the file holds.
  var pending: ArraySlice<Int16> = []

  private let stream: MediaFileStream
  private var resampler: OpaquePointer?
  private var input = Input()
  private var hasEnded = false

  /// What the resampler was made for; a file may change it on the way.
  private struct Input: Equatable {
    var sampleRate: Int32 = 0
    var format: Int32 = -1
    var channelCount: Int32 = 0
  }

  init(path: String) throws(MediaFileError) {
    stream = try MediaFileStream(path: path, kind: AVMEDIA_TYPE_AUDIO)
    channelCount = stream.codec?.pointee.ch_layout.nb_channels == 1 ? 1 : 2
    while pending.isEmpty, try decodeMore() {}
  }

  deinit { swr_free(&resampler) }

  /// One step towards more `pending`.
  ///
  /// - Returns: false when the file has ended.
  func decodeMore() throws(MediaFileError) -> Bool {
    if hasEnded { return false }
    if let frame = try stream.next() {
      try convert(frame)
    } else {
      hasEnded = true
      if resampler != nil { try convert(nil, count: 0) }
    }
    return true
  }

  private func convert(_ frame: UnsafeMutablePointer<AVFrame>) throws(MediaFileError) {
    let now = Input(
      sampleRate: frame.pointee.sample_rate, format: frame.pointee.format,
      channelCount: frame.pointee.ch_layout.nb_channels)
    if now != input || resampler == nil { try makeResampler(for: frame, now) }
    let data = UnsafeRawPointer(frame.pointee.extended_data)?.assumingMemoryBound(to: UnsafePointer<UInt8>?.self)
    try convert(data, count: frame.pointee.nb_samples)
  }

  private func makeResampler(for frame: UnsafeMutablePointer<AVFrame>, _ now: Input) throws(MediaFileError) {
    var source = AVChannelLayout()
    var target = AVChannelLayout()
    defer {
      av_channel_layout_uninit(&source)
      av_channel_layout_uninit(&target)
    }
    // Raw formats tell how many channels there are and not which.
    if frame.pointee.ch_layout.order == AV_CHANNEL_ORDER_UNSPEC {
      av_channel_layout_default(&source, now.channelCount)
    } else {
      av_channel_layout_copy(&source, &frame.pointee.ch_layout)
    }
    av_channel_layout_default(&target, Int32(channelCount))
    swr_free(&resampler)
    var status = swr_alloc_set_opts2(
      &resampler, &target, AV_SAMPLE_FMT_S16, 48_000, &source, AVSampleFormat(now.format), now.sampleRate, 0, nil)
    if status >= 0 { status = swr_init(resampler) }
    guard status >= 0 else {
      swr_free(&resampler)
      throw MediaFileError(code: .cannotDecode, path: stream.path, reason: FFmpegStatus.text(status))
    }
    input = now
  }

  /// Appends to `pending` what the resampler makes of the input; nil takes out what it still holds.
  private func convert(_ data: UnsafePointer<UnsafePointer<UInt8>?>?, count: Int32) throws(MediaFileError) {
    let room = max(0, swr_get_out_samples(resampler, count))
    let mutable = UnsafeMutablePointer(mutating: data)
    var status: Int32 = 0
    let output = [Int16](unsafeUninitializedCapacity: Int(room) * channelCount) { buffer, initialized in
      buffer.withMemoryRebound(to: UInt8.self) { bytes in
        var start: UnsafeMutablePointer<UInt8>? = bytes.baseAddress
        status = swr_convert(resampler, &start, room, mutable, count)
      }
      initialized = Int(max(0, status)) * channelCount
    }
    guard status >= 0 else {
      throw MediaFileError(code: .cannotDecode, path: stream.path, reason: FFmpegStatus.text(status))
    }
    pending.append(contentsOf: output)
  }
}
