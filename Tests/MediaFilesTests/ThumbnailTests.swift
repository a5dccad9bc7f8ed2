import Foundation
import MediaCodecs
import TestSupport
import Testing

@testable import MediaFiles

private let ffmpegProgram = "/usr/bin/ffmpeg"

@Suite(.timeLimit(.minutes(1))) struct ThumbnailTests {
  let folder = try! TemporaryFolder()

  private typealias Color = (red: Int, green: Int, blue: Int)

  /// Four fields of a colour each, from the upper left to the lower right.
  private static let fields: [Color] = [(200, 30, 30), (30, 180, 30), (30, 30, 200), (200, 200, 40)]

  private func picture(_ width: Int, _ height: Int) -> RGBPicture {
    var pixels: [UInt8] = []
    for y in 0..<height {
      for x in 0..<width {
        let color = Self.fields[(y * 2 / height) * 2 + x * 2 / width]
        pixels += [UInt8(color.red), UInt8(color.green), UInt8(color.blue)]
      }
    }
    return RGBPicture(size: VideoSize(width: width, height: height), pixels: pixels)
  }

  private func jpeg(_ width: Int, _ height: Int) throws -> [UInt8] {
    try picture(width, height).jpeg(upTo: .max, path: "picture")
  }

  /// The colours of the four fields of a thumbnail, as its reader sees them.
  private func fields(of thumbnail: MediaThumbnail) throws -> [Color] {
    let path = try folder.write(thumbnail.bytes, to: "thumbnail.jpg")
    let input = try BoundedInput(path: path, maximumLength: 1 << 20, deadline: .init(nanoseconds: .max))
    let decoder = try StillDecoder(input, path: path)
    let decoded = try RGBPicture(try decoder.picture(.beginning), longestSide: 128, path: path)
    #expect(decoded.size == thumbnail.size)
    return [(1, 1), (3, 1), (1, 3), (3, 3)].map { x, y in
      let at = (decoded.size.height * y / 4 * decoded.size.width + decoded.size.width * x / 4) * 3
      return (Int(decoded.pixels[at]), Int(decoded.pixels[at + 1]), Int(decoded.pixels[at + 2]))
    }
  }

  private func isNear(_ one: Color, _ other: Color) -> Bool {
    abs(one.red - other.red) < 24 && abs(one.green - other.green) < 24 && abs(one.blue - other.blue) < 24
  }

  private func expectFields(_ thumbnail: MediaThumbnail, _ order: [Int], _ comment: Comment? = nil) throws {
    for (seen, index) in zip(try fields(of: thumbnail), order) {
      #expect(isNear(seen, Self.fields[index]), comment)
    }
  }

  @Test(
    arguments: [
      (640, 480, 128, 96), (480, 640, 96, 128), (1, 1, 1, 1), (2, 1, 2, 1), (3, 5_000, 1, 128), (5_000, 3, 128, 1),
      (128, 128, 128, 128), (40, 30, 40, 30), (129, 7, 128, 7), (1_921, 1_081, 128, 72),
    ])
  func `a picture keeps its proportions, and none is made larger`(
    width: Int, height: Int, wide: Int, high: Int
  ) throws {
    let path = try folder.write(try jpeg(width, height), to: "picture")
    let thumbnail = try MediaThumbnail(of: path)
    #expect(thumbnail.size == VideoSize(width: wide, height: high))
    #expect(thumbnail.bytes.starts(with: [0xFF, 0xD8]) && thumbnail.bytes.count <= MediaThumbnail.advisedLength)
    if wide >= 40, high >= 30 { try expectFields(thumbnail, [0, 1, 2, 3]) }
  }

  @Test func `a film shows what comes after its beginning`() throws {
    let writer = try Y4MWriter(path: folder.path("film"), framesPerSecond: 10)
    // Y4M has no duration, so what is shown is its first picture; WebM's is looked for later.
    for index in 0..<30 {
      try writer.write(plain(UInt8(index == 0 ? 16 : 235), VideoSize(width: 320, height: 180), at: index))
    }
    writer.finish()
    let first = try MediaThumbnail(of: folder.path("film"))
    #expect(first.size == VideoSize(width: 128, height: 72))
    #expect(try fields(of: first).allSatisfy { isNear($0, (0, 0, 0)) })

    let encoder = try VPXEncoder(VPXEncoder.Configuration(codec: .vp8))
    let film = try WebMWriter(path: folder.path("film.webm"), hasAudio: false, video: .vp8)
    for index in 0..<40 {
      if index == 2 { encoder.requestKeyFrame() }
      let frame = plain(UInt8(index < 2 ? 16 : 235), VideoSize(width: 320, height: 180), at: index)
      guard let packet = try encoder.encode(frame) else { continue }
      try film.write(video: packet.bytes.span, at: frame.timestamp)
    }
    film.finish()
    let later = try MediaThumbnail(of: folder.path("film.webm"))
    #expect(try fields(of: later).allSatisfy { isNear($0, (255, 255, 255)) })
  }

  private func plain(_ luminance: UInt8, _ size: VideoSize, at index: Int) -> VideoFrame {
    VideoFrame(size: size, timestamp: .milliseconds(100 * index)) { plane, pixels, _ in
      for index in pixels.indices { pixels[index] = plane == .y ? luminance : 128 }
    }
  }

  @Test func `what is transparent becomes white`() throws {
    func word(_ number: Int32) -> [UInt8] { withUnsafeBytes(of: number.littleEndian) { Array($0) } }
    // A bitmap of 32 bits a pixel, its first row first.
    let header =
      Array("BM".utf8) + word(54 + 64 * 64 * 4) + word(0) + word(54) + word(40) + word(64) + word(-64) + [1, 0, 32, 0]
      + word(0) + word(64 * 64 * 4) + word(0) + word(0) + word(0) + word(0)
    var pixels: [UInt8] = []
    for y in 0..<64 { for x in 0..<64 { pixels += [0, 0, 200, x < 32 ? 0 : y < 32 ? 255 : 128] } }
    let thumbnail = try MediaThumbnail(of: folder.write(header + pixels, to: "picture"))
    let seen = try fields(of: thumbnail)
    for (seen, color) in zip(seen, [(255, 255, 255), (200, 0, 0), (255, 255, 255), (227, 127, 127)]) {
      #expect(isNear(seen, color), "\(seen)")
    }
  }

  /// The fields as they lie in the file, by EXIF's orientation of them.
  @Test(
    arguments: [
      (1, [0, 1, 2, 3]), (2, [1, 0, 3, 2]), (3, [3, 2, 1, 0]), (4, [2, 3, 0, 1]), (5, [0, 2, 1, 3]),
      (6, [2, 0, 3, 1]), (7, [3, 1, 2, 0]), (8, [1, 3, 0, 2]),
    ])
  func `a picture that lies on its side stands upright`(orientation: Int, order: [Int]) throws {
    let exif: [UInt8] =
      Array("Exif\0\0II*\0".utf8) + [
        8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, UInt8(orientation), 0, 0, 0, 0, 0, 0, 0,
      ]
    let picture = try jpeg(320, 160)
    let bytes = picture.prefix(2) + [0xFF, 0xE1, 0, UInt8(exif.count + 2)] + exif + picture.dropFirst(2)
    let thumbnail = try MediaThumbnail(of: folder.write(bytes, to: "picture"))
    #expect(thumbnail.size == (orientation < 5 ? .init(width: 128, height: 64) : .init(width: 64, height: 128)))
    try expectFields(thumbnail, order, "orientation \(orientation)")
  }

  @Test func `noise is made to fit`() throws {
    var random = SystemRandomNumberGenerator()
    let noise = (0..<128 * 128 * 3).map { _ in UInt8.random(in: 0...255, using: &random) }
    let path = folder.path("noise")
    let picture = RGBPicture(size: VideoSize(width: 128, height: 128), pixels: noise)
    _ = try folder.write(try picture.jpeg(upTo: .max, path: path), to: "noise")
    #expect(try MediaThumbnail(of: path).bytes.count < 16 << 10)
  }

  @Test func `what is no picture has no thumbnail`() throws {
    let sound = try WAVWriter(path: folder.path("a.wav"))
    try sound.write(Signal.tone(440, frames: 48_000))
    sound.finish()
    let opus = try OpusFileWriter(path: folder.path("a.ogg"), container: .ogg)
    for (index, packet) in try opusPackets(Signal.tone(440, frames: 48_000)).enumerated() {
      try opus.write(opus: packet.span, at: .milliseconds(20 * index))
    }
    opus.finish()
    _ = try folder.write("Dear Bob,\n".utf8, to: "text")
    _ = try folder.write([], to: "empty")
    mkfifo(folder.path("pipe"), 0o600)
    let cases: [(String, MediaFileError.Code)] = [
      ("a.wav", .notMedia), ("a.ogg", .noVideo), ("text", .notMedia), ("empty", .notMedia), ("absent", .noSuchFile),
      ("pipe", .cannotOpen), (".", .cannotOpen),
    ]
    for (name, code) in cases {
      let error = #expect(throws: MediaFileError.self) { try MediaThumbnail(of: folder.path(name)) }
      #expect(error?.code == code, "\(name): \(error?.description ?? "")")
    }
  }

  /// Whoever is made to send a playlist must not show the peer another file.
  @Test func `a file that names another does not show it`() throws {
    let picture = try folder.write(try jpeg(64, 64), to: "secret.jpg")
    // Who trusts a file would see it.
    let list = try folder.write("ffconcat version 1.0\nfile 'secret.jpg'\n".utf8, to: "trusted")
    #expect(try VideoFileReader(path: list).size == VideoSize(width: 64, height: 64))
    for text in [
      "ffconcat version 1.0\nfile '\(picture)'\n", "ffconcat version 1.0\nfile 'secret.jpg'\n",
      "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n\(picture)\n#EXT-X-ENDLIST\n",
      "<svg xmlns='http://www.w3.org/2000/svg' xmlns:x='http://www.w3.org/1999/xlink' width='9' height='9'>"
        + "<image x:href='file://\(picture)' width='9' height='9'/></svg>",
    ] {
      for name in ["list", "list.m3u8", "list.ffconcat", "list.svg"] {
        let path = try folder.write(text.utf8, to: name)
        #expect(throws: MediaFileError.self) { try MediaThumbnail(of: path) }
      }
    }
    #expect(throws: MediaFileError.self) { try MediaThumbnail(of: folder.path("secr%d.jpg")) }
  }

  @Test func `a picture that breaks off or is damaged does no harm`() throws {
    let whole = try jpeg(200, 150)
    var random = SystemRandomNumberGenerator()
    for length in stride(from: 0, to: whole.count, by: max(1, whole.count / 64)) {
      _ = try? MediaThumbnail(of: folder.write(whole.prefix(length), to: "short"))
      var bytes = whole
      for _ in 0..<16 { bytes[Int.random(in: 2..<bytes.count, using: &random)] = .random(in: 0...255, using: &random) }
      _ = try? MediaThumbnail(of: folder.write(bytes, to: "damaged"))
    }
    // The half of it that is there is shown.
    #expect(try MediaThumbnail(of: folder.write(whole.dropLast(whole.count / 8), to: "most")).size.width == 128)
  }

  @Test func `what claims to be huge is left alone, and what is large and a JPEG is not`() throws {
    for (width, height) in [(65_535, 65_535), (16_000, 16_000), (100_000, 100_000)] {
      let header = "P6\n\(width) \(height)\n255\n"
      let error = #expect(throws: MediaFileError.self) {
        try MediaThumbnail(of: folder.write(Array(header.utf8) + [1, 2, 3], to: "huge"))
      }
      #expect(error?.code == .cannotDecode, "\(width): \(error?.description ?? "")")
    }
    // The size in the frame's header, of a picture that is not so large.
    var forged = try jpeg(64, 64)
    let frame = try #require(forged.indices.first { forged[$0] == 0xFF && forged[$0 + 1] == 0xC0 })
    forged.replaceSubrange(frame + 5..<frame + 9, with: [0xFF, 0xFF, 0xFF, 0xFF])
    #expect(throws: MediaFileError.self) { try MediaThumbnail(of: folder.write(forged, to: "forged")) }

    let large = RGBPicture(
      size: VideoSize(width: 7_000, height: 5_000), pixels: [UInt8](repeating: 120, count: 7_000 * 5_000 * 3))
    let path = try folder.write(try large.jpeg(upTo: .max, path: "large"), to: "large")
    let thumbnail = try MediaThumbnail(of: path, within: .seconds(50))
    #expect(thumbnail.size == VideoSize(width: 128, height: 91))
    #expect(try fields(of: thumbnail).allSatisfy { isNear($0, (120, 120, 120)) })
  }

  private func ffmpeg(_ arguments: String...) throws {
    let process = Process()
    process.executableURL = URL(filePath: ffmpegProgram)
    process.arguments = ["-loglevel", "error", "-nostdin", "-y"] + arguments
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "\(arguments)")
  }

  @Test(
    .enabled(if: FileManager.default.isExecutableFile(atPath: ffmpegProgram)),
    arguments: [
      "mp4", "mov", "mkv", "webm", "avi", "ts", "flv", "mpg", "gif", "png", "apng", "bmp", "tiff", "webp", "jp2", "ppm",
      "jpg", "mjpeg", "wmv", "ogv",
    ])
  func `pictures and films of other programs have thumbnails, and damage to them does no harm`(suffix: String) throws {
    let path = folder.path("picture." + suffix)
    let isStill = ["png", "bmp", "tiff", "webp", "jp2", "ppm", "jpg"].contains(suffix)
    let source = "color=c=0xC81E1E:duration=2:size=320x240:rate=25"
    if isStill {
      try ffmpeg("-f", "lavfi", "-i", source, "-frames:v", "1", path)
    } else {
      try ffmpeg("-f", "lavfi", "-i", source, "-pix_fmt", suffix.hasSuffix("png") ? "rgb24" : "yuv420p", path)
    }
    let thumbnail = try MediaThumbnail(of: path)
    #expect(thumbnail.size == VideoSize(width: 128, height: 96))
    let seen = try fields(of: thumbnail)
    #expect(seen.allSatisfy { isNear($0, Self.fields[0]) }, "\(seen)")

    let whole = [UInt8](try Data(contentsOf: URL(filePath: path)))
    var random = SystemRandomNumberGenerator()
    for _ in 0..<12 {
      var bytes = whole.prefix(.random(in: 0...whole.count, using: &random)) + []
      for _ in 0..<min(8, bytes.count) {
        bytes[.random(in: 0..<min(bytes.count, 4_096), using: &random)] = .random(in: 0...255, using: &random)
      }
      _ = try? MediaThumbnail(of: folder.write(bytes, to: "damaged"))
    }
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: ffmpegProgram)))
  func `a playlist does not show the film that it names`() throws {
    let film = folder.path("secret.ts")
    try ffmpeg("-f", "lavfi", "-i", "color=c=red:duration=2:size=64x64:rate=25", film)
    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n\(film)\n#EXT-X-ENDLIST\n"
    let list = try folder.write(text.utf8, to: "list.m3u8")
    // Who trusts a file sees it.
    #expect(try VideoFileReader(path: list).size == VideoSize(width: 64, height: 64))
    #expect((#expect(throws: MediaFileError.self) { try MediaThumbnail(of: list) })?.code == .notMedia)
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: ffmpegProgram)))
  func `a film that was taken upright stands upright, and pixels that are not square become so`() throws {
    let source = "color=c=0xC81E1E:duration=1:size=320x240:rate=25"
    try ffmpeg("-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", folder.path("film.mp4"))
    try ffmpeg(
      "-i", folder.path("film.mp4"), "-c", "copy", "-metadata:s:v", "rotate=90", folder.path("turned.mp4"))
    #expect(try MediaThumbnail(of: folder.path("turned.mp4")).size == VideoSize(width: 96, height: 128))
    try ffmpeg("-f", "lavfi", "-i", source + ",setsar=2", "-pix_fmt", "yuv420p", folder.path("wide.mkv"))
    #expect(try MediaThumbnail(of: folder.path("wide.mkv")).size == VideoSize(width: 128, height: 48))
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: ffmpegProgram)), arguments: ["mp3", "flac", "m4a"])
  func `sound shows its cover, and without one nothing`(suffix: String) throws {
    let cover = try folder.write(try jpeg(300, 300), to: "cover.jpg")
    let (plain, covered) = (folder.path("plain.\(suffix)"), folder.path("covered.\(suffix)"))
    try ffmpeg("-f", "lavfi", "-i", "sine=duration=1", plain)
    try ffmpeg(
      "-i", plain, "-i", cover, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v", "attached_pic", covered)
    #expect((#expect(throws: MediaFileError.self) { try MediaThumbnail(of: plain) })?.code == .noVideo)
    try expectFields(try MediaThumbnail(of: covered), [0, 1, 2, 3])
  }

  @Test func `what takes too long is left`() throws {
    let path = try folder.write(try jpeg(64, 64), to: "picture")
    #expect(throws: MediaFileError.self) { try MediaThumbnail(of: path, within: .zero) }
  }
}
