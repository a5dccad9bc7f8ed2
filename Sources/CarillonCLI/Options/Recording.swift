import ArgumentParser
public import Carillon
import FoundationEssentials
public import MediaFiles
import Synchronization

extension WAVWriter: AudioSink {
  public var timeline: AudioTimeline { .media }
}
extension OpusFileWriter: EncodedAudioSink {}

/// What `--record` names: a file, whose ending says how it is kept.
struct Recording: Equatable, Sendable {
  enum Format: String, CaseIterable {
    /// Decoded, 16-bit.
    case wav
    /// The peer's Opus packets, untouched.
    case ogg
    case webm
  }

  var path: String
  var format: Format

  init(argument: String) throws {
    let name = argument.split(separator: "/").last ?? ""
    guard !argument.hasSuffix("/"), let dot = name.lastIndex(of: "."), dot > name.startIndex,
      let format = Format(rawValue: name[name.index(after: dot)...].lowercased())
    else {
      throw ValidationError("'\(argument)': a recording ends in .wav, .ogg or .webm.")
    }
    path = argument
    self.format = format
  }

  /// The recording of the `count`th call of one run: `x.wav`, `x-2.wav`, `x-3.wav`.
  func numbered(_ count: Int) -> Recording {
    guard count > 1, let dot = path.lastIndex(of: ".") else { return self }
    var other = self
    other.path = "\(path[..<dot])-\(count)\(path[dot...])"
    return other
  }

  /// Finds out before the call whether the file can be made, without touching what may be there.
  func check() throws {
    let manager = FileManager.default
    var isDirectory = false
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let problem: String? =
      if !manager.fileExists(atPath: folder, isDirectory: &isDirectory) {
        "there is no folder \(folder)"
      } else if !isDirectory {
        "\(folder) is no folder"
      } else if manager.fileExists(atPath: path, isDirectory: &isDirectory) {
        isDirectory ? "it is a folder" : manager.isWritableFile(atPath: path) ? nil : "it may not be written"
      } else {
        manager.isWritableFile(atPath: folder) ? nil : "\(folder) may not be written"
      }
    guard let problem else { return }
    throw CommandFailure(
      code: "cannotCreateOutput", message: "\(path) cannot be recorded: \(problem).", status: .cannotCreateOutput)
  }

  /// Lets the peer's audio go to the file, which is made when the first of it arrives.
  func attach(to offer: inout MediaOffer) {
    let path = path
    switch format {
    case .wav: offer.audioSink = LateAudioSink { try WAVWriter(path: path) }
    case .ogg: offer.encodedAudioSink = LateEncodedAudioSink { try OpusFileWriter(path: path, container: .ogg) }
    case .webm: offer.encodedAudioSink = LateEncodedAudioSink { try OpusFileWriter(path: path, container: .webM) }
    }
  }
}

/// Opens its sink at the first audio, so that a call that never was leaves no file and destroys none.
final class LateAudioSink: AudioSink {
  let timeline = AudioTimeline.media
  private let open: @Sendable () throws -> any AudioSink
  private let sink = Mutex<(any AudioSink)?>(nil)

  init(open: @escaping @Sendable () throws -> any AudioSink) { self.open = open }

  func write(_ samples: Span<Int16>, channelCount: Int) throws {
    try sink.opened(by: open).write(samples, channelCount: channelCount)
  }

  func finish() { sink.withLock { $0 }?.finish() }
}

/// As `LateAudioSink`, for packets.
final class LateEncodedAudioSink: EncodedAudioSink {
  private let open: @Sendable () throws -> any EncodedAudioSink
  private let sink = Mutex<(any EncodedAudioSink)?>(nil)

  init(open: @escaping @Sendable () throws -> any EncodedAudioSink) { self.open = open }

  func write(opus packet: Span<UInt8>, at position: Int64) throws {
    try sink.opened(by: open).write(opus: packet, at: position)
  }

  func finish() { sink.withLock { $0 }?.finish() }
}

extension Mutex where Value: ~Copyable {
  /// What the mutex holds, made first if it holds nothing.
  fileprivate func opened<Sink: Sendable>(by open: () throws -> Sink) throws -> Sink where Value == Sink? {
    try withLock { held in
      if let sink = held { return sink }
      let sink = try open()
      held = sink
      return sink
    }
  }
}
