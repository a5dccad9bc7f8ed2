import MediaCodecs

/// Pictures that move: a gradient that shifts by three pixels a frame, over some noise.
enum Pictures {
  static func moving(_ index: Int, size: VideoSize, framesPerSecond: Int = 30) -> VideoFrame {
    var noise = SeededGenerator(state: UInt64(index))
    let time = Duration.nanoseconds(Int64(index) * 1_000_000_000 / Int64(framesPerSecond))
    return VideoFrame(size: size, timestamp: time) { plane, pixels, stride in
      let visible = plane == .y ? size : VideoSize(width: (size.width + 1) / 2, height: (size.height + 1) / 2)
      for y in 0..<visible.height {
        let bits = noise.next()
        for x in 0..<visible.width {
          let value = plane == .y ? (x + 3 * index + y * 2) & 127 + Int(bits >> UInt64(x & 31) & 15) : 128
          pixels[y * stride + x] = UInt8(64 + value / 2)
        }
      }
    }
  }

  static func plain(_ y: UInt8, size: VideoSize, timestamp: Duration = .zero) -> VideoFrame {
    VideoFrame(size: size, timestamp: timestamp) { plane, pixels, _ in
      for index in pixels.indices { pixels[index] = plane == .y ? y : 128 }
    }
  }
}
