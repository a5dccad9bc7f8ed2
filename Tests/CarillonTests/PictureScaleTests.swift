import MediaCodecs
import Testing

@testable import Carillon

@Suite struct PictureScaleTests {
  private let large = VideoSize(width: 1_280, height: 720)

  /// What becomes of pictures that take all that they are given, or `share` of it, after a few seconds.
  private func halvings(_ size: VideoSize, kilobits: Int, maximumPixels: Int? = nil, share: Double = 1) -> Int {
    var scale = PictureScale(maximumPixels: maximumPixels)
    for frame in 0..<90 {
      let time = Duration.milliseconds(frame * 1_000 / 30)
      _ = scale.halvings(of: size, bitsPerSecond: kilobits * 1_000, framesPerSecond: 30, at: time)
      scale.encoded(bits: Int(Double(kilobits) * 1_000 / 30 * share), at: time)
    }
    return scale.halvings(of: size, bitsPerSecond: kilobits * 1_000, framesPerSecond: 30, at: .seconds(3))
  }

  @Test(arguments: [(2_500, 0), (560, 0), (540, 1), (150, 1), (130, 2), (30, 2)])
  func `the bitrate decides how large a picture is`(kilobits: Int, expected: Int) {
    #expect(halvings(large, kilobits: kilobits) == expected)
  }

  @Test(arguments: [(540, 0), (150, 0), (130, 1), (30, 2)])
  func `pictures that take less than they are given are halved only when there is next to nothing`(
    kilobits: Int, expected: Int
  ) {
    #expect(halvings(large, kilobits: kilobits, share: 0.5) == expected)
  }

  @Test func `pictures that turn out to be easy become large again`() {
    var scale = PictureScale(maximumPixels: nil)
    var levels: [Int] = []
    for frame in 0..<600 {
      let time = Duration.milliseconds(frame * 1_000 / 30)
      levels.append(scale.halvings(of: large, bitsPerSecond: 500_000, framesPerSecond: 30, at: time))
      // Hard for five seconds, easy from then on.
      scale.encoded(bits: frame < 150 ? 500_000 / 30 : 100_000 / 30, at: time)
    }
    #expect(levels[0] == 0 && levels[140] == 1 && levels.last == 0)
    #expect(zip(levels, levels.dropFirst()).count { $0 != $1 } == 2)
  }

  @Test func `small pictures are left as they are`() {
    #expect(halvings(VideoSize(width: 158, height: 158), kilobits: 1) == 0)
    #expect(halvings(VideoSize(width: 1, height: 1), kilobits: 0) == 0)
    #expect(halvings(VideoSize(width: 320, height: 180), kilobits: 1) == 1)
  }

  @Test func `what the peer cannot take is halved whatever the bitrate`() {
    // 3600 macroblocks, then 920.
    #expect(halvings(large, kilobits: 20_000, maximumPixels: 3_600 * 256) == 0)
    #expect(halvings(large, kilobits: 20_000, maximumPixels: 3_599 * 256) == 1)
    #expect(halvings(large, kilobits: 20_000, maximumPixels: 919 * 256) == 2)
    // 1 × 100 macroblocks are few, but too long for a peer of 100.
    #expect(halvings(VideoSize(width: 1_600, height: 16), kilobits: 20_000, maximumPixels: 100 * 256) == 2)
    for absurd in [Int.min, 0, 1] { #expect(halvings(large, kilobits: 20_000, maximumPixels: absurd) == 7) }
  }

  @Test func `a peer that says nothing gets 1920×1080 at most`() {
    #expect(halvings(VideoSize(width: 1_920, height: 1_080), kilobits: 20_000) == 0)
    #expect(halvings(VideoSize(width: 3_840, height: 2_160), kilobits: 20_000) == 1)
    #expect(halvings(VideoSize(width: 16_383, height: 16_383), kilobits: 20_000) == 4)
  }

  @Test func `a bitrate that swings does not change the size, and going back takes time`() {
    var scale = PictureScale(maximumPixels: nil)
    func level(_ kilobits: Int, _ seconds: Int) -> Int {
      // A second in which the pictures take all there is.
      for tenth in 0...10 {
        scale.encoded(bits: kilobits * 100, at: .seconds(seconds) - .milliseconds(1_000 - tenth * 100))
      }
      return scale.halvings(of: large, bitsPerSecond: kilobits * 1_000, framesPerSecond: 30, at: .seconds(seconds))
    }
    #expect(level(700, 0) == 0)
    #expect(level(500, 1) == 1)
    #expect(level(700, 10) == 1)
    #expect(level(100, 11) == 2)
    #expect(level(2_000, 15) == 2)
    #expect(level(2_000, 16) == 1)
    #expect(level(2_000, 20) == 1)
    #expect(level(2_000, 21) == 0)
  }
}
