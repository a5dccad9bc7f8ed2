import Testing

@testable import MediaCodecs

@Suite struct HalvedTests {
  @Test(arguments: [(1, 1), (2, 2), (3, 5), (17, 16), (160, 91), (641, 359)])
  func `each side is halved and rounded up`(width: Int, height: Int) {
    let picture = Pictures.plain(77, size: VideoSize(width: width, height: height), timestamp: .seconds(3)).halved()
    #expect(picture.size == VideoSize(width: (width + 1) / 2, height: (height + 1) / 2))
    #expect(picture.timestamp == .seconds(3))
    #expect(picture.meanColor == MeanColor(y: 77, u: 128, v: 128))
  }

  @Test func `a pixel is the mean of the four that it covers, and of two or one at odd ends`() {
    let rows: [[UInt8]] = [[0, 10, 50], [20, 30, 70], [90, 91, 255]]
    let picture = VideoFrame(size: VideoSize(width: 3, height: 3), timestamp: .zero) { plane, pixels, stride in
      let side = plane == .y ? 3 : 2
      for y in 0..<side {
        for x in 0..<side { pixels[y * stride + x] = plane == .y ? rows[y][x] : UInt8(10 * (2 * y + x)) }
      }
    }
    let half = picture.halved()
    half.withPixels(of: .y) { pixels, stride in
      #expect([pixels[0], pixels[1], pixels[stride], pixels[stride + 1]] == [15, 60, 91, 255])
    }
    for plane in [VideoFrame.Plane.u, .v] { half.withPixels(of: plane) { pixels, _ in #expect(pixels[0] == 15) } }
  }

  @Test func `the brightness stays`() {
    let picture = Pictures.moving(3, size: VideoSize(width: 320, height: 180))
    #expect(abs(picture.halved().halved().meanColor.y - picture.meanColor.y) < 0.5)
  }
}
