import Foundation
import MediaCodecs
import TestSupport
import Testing

@testable import MediaFiles

@Suite(.timeLimit(.minutes(1))) struct BarsTests {
  struct Run: Sendable, CustomTestStringConvertible {
    var codec: VideoCodec
    var width: Int
    var height: Int
    var kilobits: Int
    var testDescription: String { "\(codec.rawValue) \(width)×\(height) at \(kilobits) kbit/s" }
  }

  static let runs = VideoCodec.allCases.flatMap { codec in
    [(320, 180, 100), (320, 180, 300), (640, 360, 300)].map {
      Run(codec: codec, width: $0.0, height: $0.1, kilobits: $0.2)
    }
  }

  @Test(arguments: runs)
  func `counter and time are read back from decoded pictures, and the colour stays`(run: Run) throws {
    let now = Duration.milliseconds(1_700_000_000_123)
    let time = Ticking(start: now, step: .milliseconds(33))
    let bars = Bars(size: VideoSize(width: run.width, height: run.height), clock: { time.next() })
    var configuration = VPXEncoder.Configuration(codec: run.codec)
    configuration.bitsPerSecond = run.kilobits * 1_000
    let encoder = try VPXEncoder(configuration)
    let decoder = VPXDecoder(codec: run.codec)
    var (encoded, right) = (0, 0)
    for index in 0..<90 {
      let source = try #require(bars.nextFrame())
      guard let packet = try encoder.encode(source) else { continue }
      let picture = try #require(try decoder.decode(packet.bytes.span, timestamp: packet.timestamp))
      encoded += 1
      if let reading = Bars.read(from: picture) {
        #expect(reading.counter == UInt32(index))
        #expect(reading.age(at: now + .milliseconds(33 * index + 40)) == .milliseconds(40))
        right += 1
      }
      let (was, seen) = (source.meanColor, picture.meanColor)
      #expect(abs(was.y - seen.y) < 6 && abs(was.u - seen.u) < 6 && abs(was.v - seen.v) < 6)
    }
    #expect(encoded >= 60, "\(encoded) of 90 encoded")
    #expect(Double(right) >= 0.95 * Double(encoded), "\(right) of \(encoded) read")
  }

  @Test func `other pictures and the smallest are no reading`() throws {
    for size in [(1, 1), (2, 3), (15, 4), (63, 500), (640, 360)] {
      let size = VideoSize(width: size.0, height: size.1)
      for value in [UInt8(0), 16, 128, 255] {
        let plain = VideoFrame(size: size, timestamp: .zero) { _, pixels, _ in
          for index in pixels.indices { pixels[index] = value }
        }
        #expect(Bars.read(from: plain) == nil)
      }
      let picture = try #require(Bars(size: size).nextFrame())
      #expect(picture.size == size)
    }
  }

  @Test(arguments: [UInt32(0), 1, 127, 32_767, 32_768, 0x7FFF_FFFF, 0x8000_0000, .max])
  func `every number is read back, also from the smallest readable picture`(counter: UInt32) {
    let reading = Bars.Reading(counter: counter, captureMilliseconds: ~counter)
    for (width, height) in [(64, 60), (177, 91), (1_280, 720)] {
      let bars = Bars(size: VideoSize(width: width, height: height))
      #expect(Bars.read(from: bars.draw(reading, timestamp: .zero)) == reading)
    }
  }
}

@Suite(.timeLimit(.minutes(1))) struct VideoFileTests {
  let folder = try! TemporaryFolder()

  private func bars(_ width: Int, _ height: Int, fps: Int = 30) -> Bars {
    Bars(size: VideoSize(width: width, height: height), framesPerSecond: fps)
  }

  @Test(arguments: [(320, 180), (161, 91)])
  func `Y4M comes back to the last pixel, through the own reader and FFmpeg's`(width: Int, height: Int) throws {
    let source = bars(width, height, fps: 25)
    let frames = (0..<10).compactMap { _ in source.nextFrame() }
    let writer = try Y4MWriter(path: folder.path("a.y4m"), framesPerSecond: 25)
    for frame in frames { try writer.write(frame) }
    writer.finish()
    #expect(writer.failure == nil)
    let reader = try Y4MReader(path: folder.path("a.y4m"))
    let other = try VideoFileReader(path: folder.path("a.y4m"))
    #expect(reader.size == frames[0].size && other.size == frames[0].size)
    #expect(reader.frameRate == 25)
    for frame in frames {
      for picture in [try reader.nextFrame(), try other.nextFrame()] {
        #expect(picture?.timestamp == frame.timestamp)
        #expect(picture?.meanColor == frame.meanColor)
        #expect(picture.flatMap(Bars.read) == Bars.read(from: frame))
      }
    }
    #expect(try reader.nextFrame() == nil)
    #expect(try other.nextFrame() == nil)
  }

  @Test func `a Y4M recording keeps time and size whatever comes`() throws {
    let source = bars(320, 180)
    let frames = (0..<10).compactMap { _ in source.nextFrame() }
    let other = try #require(bars(640, 360).nextFrame())
    let writer = try Y4MWriter(path: folder.path("a.y4m"))
    let times: [Duration] = [.zero, .milliseconds(33), .milliseconds(34), .milliseconds(500), .zero, .seconds(1 << 40)]
    for (frame, time) in zip(frames, times) {
      var frame = frame
      frame.timestamp = time
      try writer.write(frame)
    }
    var last = other
    last.timestamp = .seconds(1 << 40) + .seconds(1)
    try writer.write(last)
    writer.finish()
    let reader = try Y4MReader(path: folder.path("a.y4m"))
    var counters: [UInt32?] = []
    while let picture = try reader.nextFrame() { counters.append(Bars.read(from: picture)?.counter) }
    #expect(counters.count == 16 + 301 + 30)
    #expect(Array(counters.prefix(16)) == [0] + [UInt32](repeating: 1, count: 14) + [3])
    #expect(counters.last == 0)
  }

  @Test(
    arguments: [
      ("", .notMedia), ("RIFF....\n", .notMedia), ("YUV4MPEG2\n", .cannotDecode), ("YUV4MPEG2 W4 H4", .notMedia),
      ("YUV4MPEG2 W99999 H4 F30:1\n", .cannotDecode), ("YUV4MPEG2 W4 H-4 F30:1\n", .cannotDecode),
      ("YUV4MPEG2 W4 H4 C444\n", .cannotDecode), ("YUV4MPEG2 W4 H4 It\n", .cannotDecode),
      (String(repeating: "Y", count: 5_000), .notMedia),
    ] as [(String, MediaFileError.Code)])
  func `a broken Y4M header is told`(text: String, code: MediaFileError.Code) throws {
    let path = try folder.write(text.utf8, to: "a.y4m")
    #expect(throws: MediaFileError.self) { try Y4MReader(path: path) }
    #expect((#expect(throws: MediaFileError.self) { try Y4MReader(path: path) })?.code == code)
  }

  @Test func `a Y4M file that breaks off plays up to there`() throws {
    let start = "YUV4MPEG2 W2 H2 F1:1\n"
    let picture = "FRAME\n" + "yyyyuv"
    let whole = Array((start + picture + picture).utf8)
    for length in start.count..<whole.count {
      let reader = try Y4MReader(path: folder.write(whole.prefix(length), to: "a.y4m"))
      var count = 0
      while try reader.nextFrame() != nil { count += 1 }
      #expect(count == (length - start.count) / picture.count)
    }
    let reader = try Y4MReader(path: folder.write((start + picture + "FRAMX\n").utf8, to: "a.y4m"))
    #expect(try reader.nextFrame() != nil)
    #expect(throws: MediaFileError.self) { try reader.nextFrame() }
  }

  @Test func `pictures are scaled to the size asked for`() throws {
    let writer = try Y4MWriter(path: folder.path("a.y4m"))
    let source = bars(640, 360)
    let frames = (0..<3).compactMap { _ in source.nextFrame() }
    for frame in frames { try writer.write(frame) }
    writer.finish()
    for (width, height) in [(320, 180), (853, 481), (1, 1)] {
      let size = VideoSize(width: width, height: height)
      let reader = try VideoFileReader(path: folder.path("a.y4m"), size: size)
      for frame in frames {
        let picture = try #require(try reader.nextFrame())
        #expect(picture.size == size)
        guard width > 1 else { continue }
        #expect(Bars.read(from: picture) == Bars.read(from: frame))
        #expect(abs(picture.meanColor.y - frame.meanColor.y) < 3)
      }
    }
  }

  @Test func `what holds no pictures is told`() throws {
    let writer = try WAVWriter(path: folder.path("a.wav"))
    try writer.write(Signal.tone(440, frames: 4_800))
    writer.finish()
    for (name, code) in [("a.wav", MediaFileError.Code.noVideo), ("missing", .noSuchFile)] {
      let error = #expect(throws: MediaFileError.self) { try VideoFileReader(path: folder.path(name)) }
      #expect(error?.code == code)
    }
  }

  @Test(
    .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/ffmpeg")), arguments: ["mp4", "mkv", "gif"])
  func `files of other programs are read at their times`(suffix: String) throws {
    let path = folder.path("a." + suffix)
    let ffmpeg = Process()
    ffmpeg.executableURL = URL(filePath: "/usr/bin/ffmpeg")
    ffmpeg.arguments = [
      "-loglevel", "error", "-nostdin", "-f", "lavfi", "-i", "color=c=red:duration=2:size=128x96:rate=10", path,
    ]
    try ffmpeg.run()
    ffmpeg.waitUntilExit()
    let reader = try VideoFileReader(path: path, size: VideoSize(width: 64, height: 48))
    var times: [Duration] = []
    while let picture = try reader.nextFrame() {
      times.append(picture.timestamp)
      let (red, green, blue) = picture.meanColor.rgb
      #expect(red > 220 && green < 40 && blue < 40)
    }
    #expect(times.first == .zero)
    #expect(times == times.sorted())
    if suffix != "gif" { #expect(times.count == 20 && times.last == .milliseconds(1_900)) }
  }
}

/// A clock that moves on by one step whenever it is asked.
final class Ticking: @unchecked Sendable {
  private let lock = NSLock()
  private var time: Duration
  private let step: Duration

  init(start: Duration, step: Duration) {
    time = start
    self.step = step
  }

  func next() -> Duration {
    lock.withLock {
      defer { time += step }
      return time
    }
  }
}
