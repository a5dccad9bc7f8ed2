import MediaCodecs
import MediaTime

/// How often a source's pictures are halved before they are encoded, so that they suit the bitrate and the peer.
///
/// Below 0.02 bits a pixel, VP8 spends what there is on blocks and on leaving pictures out, and a quarter of the pixels looks
/// better: the bound is where WebRTC's senders end a layer too (1280×720 at 600 kbit/s, 640×360 at 150, 30 pictures a
/// second). That holds for pictures that take all that they are given; slides and test pictures need less and stay as they
/// are. Only far below the bound, at a quarter of it, nobody waits for the measure.
///
/// Going back takes 0.03 bits for each pixel of the larger picture, or pictures that take less than a third of what they
/// may, for four times the pixels take about three times the bits; and five seconds since the last change: a bitrate
/// estimate swings by a tenth or two, and each change costs a key frame.
struct PictureScale {
  static let lowestBitsPerPixel = 0.02
  static let comfortableBitsPerPixel = 0.03
  static let settlingTime = Duration.seconds(5)
  /// What the pictures take is measured over so long.
  static let measuringTime = Duration.seconds(1)
  /// Halved for the bitrate at most so often.
  static let limit = 2
  /// For the bitrate's sake, no side gets shorter than this.
  static let shortestSide = 80
  /// For a peer that states no limit: 1920×1080, in whole macroblocks.
  static let defaultPixels = 1_920 * 1_088

  private let macroblocks: Int
  private var level = 0
  private var changed: Duration?
  /// What the pictures of this size take, in bit/s; nil until they have been measured.
  private var taken: Double?
  private var measure: (since: Duration, bits: Int)?

  /// - Parameter maximumPixels: the most that a picture may have (256 for each macroblock of `max-fs`, RFC 7741 §6.1).
  init(maximumPixels: Int?) {
    macroblocks = max(1, (maximumPixels ?? Self.defaultPixels) / 256)
  }

  /// How often to halve the next picture.
  ///
  /// - Parameter time: the picture's.
  mutating func halvings(of source: VideoSize, bitsPerSecond: Int, framesPerSecond: Int, at time: Duration) -> Int {
    var size = source
    var forced = 0
    while !isAllowed(size) {
      size = size.halved
      forced += 1
    }
    func bitsPerPixel(_ level: Int) -> Double {
      Double(bitsPerSecond) / Double(size.halved(level).pixelCount * max(1, framesPerSecond))
    }
    var wanted = level
    let takesAll = taken.map { $0 >= 0.8 * Double(bitsPerSecond) } ?? false
    let bound = takesAll ? Self.lowestBitsPerPixel : Self.lowestBitsPerPixel / 4
    while wanted < Self.limit, bitsPerPixel(wanted) < bound { wanted += 1 }
    if wanted == level, level > 0, isSettled(at: time) {
      let takesLittle = taken.map { 3 * $0 < Double(bitsPerSecond) } ?? false
      if takesLittle || bitsPerPixel(level - 1) >= Self.comfortableBitsPerPixel { wanted -= 1 }
    }
    while wanted > 0, case let halved = size.halved(wanted), min(halved.width, halved.height) < Self.shortestSide {
      wanted -= 1
    }
    if wanted != level {
      level = wanted
      changed = time
      (taken, measure) = (nil, nil)
    }
    return forced + level
  }

  /// Notes what a picture has taken; nothing where the encoder left it out.
  mutating func encoded(bits: Int, at time: Duration) {
    guard let (since, sum) = measure, time >= since else {
      // The first one of a size is a key frame, and tells nothing of the others.
      measure = (time, 0)
      return
    }
    let elapsed = time - since
    measure = (since, sum + bits)
    guard elapsed >= Self.measuringTime else { return }
    taken = Double(sum + bits) / elapsed.inSeconds
    measure = (time, 0)
  }

  /// - Specification: RFC 7741 §6.1: neither side has more macroblocks than the square root of eight times `max-fs`.
  private func isAllowed(_ size: VideoSize) -> Bool {
    let (width, height) = ((size.width + 15) / 16, (size.height + 15) / 16)
    if width == 1, height == 1 { return true }
    return width * height <= macroblocks && max(width, height) * max(width, height) <= macroblocks * 8
  }

  private func isSettled(at time: Duration) -> Bool {
    guard let changed else { return true }
    return time - changed >= Self.settlingTime
  }
}

extension VideoSize {
  fileprivate func halved(_ count: Int) -> VideoSize { (0..<count).reduce(self) { size, _ in size.halved } }
}
