extension VideoFrame {
  /// The picture at half its width and height (rounded up): each pixel the mean of the two by two that it covers, the
  /// last ones of odd sides counted twice.
  package func halved() -> VideoFrame {
    VideoFrame(size: size.halved, timestamp: timestamp) { targets, targetStrides in
      withUnsafePlanes { sources, sourceStrides in
        for plane in Plane.allCases {
          let source = size(of: plane)
          let target = size.halved.size(of: plane)
          for y in 0..<target.height {
            let upper = sources[plane.rawValue] + 2 * y * Int(sourceStrides[plane.rawValue])
            let lower = 2 * y + 1 < source.height ? upper + Int(sourceStrides[plane.rawValue]) : upper
            let row = targets[plane.rawValue] + y * Int(targetStrides[plane.rawValue])
            Self.halve(upper, lower, width: source.width, into: row)
          }
        }
      }
    }
  }

  private static func halve(
    _ upper: UnsafeMutablePointer<UInt8>, _ lower: UnsafeMutablePointer<UInt8>, width: Int,
    into target: UnsafeMutablePointer<UInt8>
  ) {
    for x in 0..<width / 2 {
      let left = UInt16(upper[2 &* x]) &+ UInt16(lower[2 &* x])
      let right = UInt16(upper[2 &* x &+ 1]) &+ UInt16(lower[2 &* x &+ 1])
      target[x] = UInt8(truncatingIfNeeded: (left &+ right &+ 2) >> 2)
    }
    if width % 2 == 1 {
      target[width / 2] = UInt8(truncatingIfNeeded: (UInt16(upper[width - 1]) &+ UInt16(lower[width - 1]) &+ 1) >> 1)
    }
  }
}

extension VideoSize {
  fileprivate func size(of plane: VideoFrame.Plane) -> VideoSize { plane == .y ? self : chroma }
}
