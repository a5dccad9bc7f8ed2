import Carillon
import MediaCodecs
import Synchronization

/// Pictures of one colour.
final class Paint: VideoSource {
  static let red = MeanColor(y: 81, u: 90, v: 240)
  static let blue = MeanColor(y: 41, u: 240, v: 110)

  let framesPerSecond = 30
  private let color: MeanColor
  private let size: VideoSize
  private let count = Mutex(0)

  init(_ color: MeanColor, size: VideoSize = VideoSize(width: 160, height: 120)) {
    self.color = color
    self.size = size
  }

  func nextFrame() -> VideoFrame? {
    let number = count.withLock { count in
      defer { count += 1 }
      return count
    }
    return VideoFrame(size: size, timestamp: .milliseconds(number * 1_000 / 30)) { plane, pixels, _ in
      let value =
        switch plane {
        case .y: color.y
        case .u: color.u
        case .v: color.v
        }
      for index in pixels.indices { pixels[index] = UInt8(value) }
    }
  }
}

/// Sees pictures and remembers what they looked like.
final class Eye: VideoSink {
  private struct State {
    var colors: [MeanColor] = []
    var times: [Duration] = []
    var size: VideoSize?
    var isFinished = false
  }

  let timeline: AudioTimeline
  private let state = Mutex(State())

  init(timeline: AudioTimeline = .media) { self.timeline = timeline }

  func write(_ frame: VideoFrame) {
    let color = frame.meanColor
    state.withLock {
      $0.colors.append(color)
      $0.times.append(frame.timestamp)
      $0.size = frame.size
    }
  }

  func finish() { state.withLock { $0.isFinished = true } }

  var count: Int { state.withLock { $0.colors.count } }
  var times: [Duration] { state.withLock { $0.times } }
  var size: VideoSize? { state.withLock { $0.size } }
  var isFinished: Bool { state.withLock { $0.isFinished } }

  /// Whether the last picture looks like `color`.
  func sees(_ color: MeanColor) -> Bool {
    guard let last = state.withLock({ $0.colors.last }) else { return false }
    return abs(last.y - color.y) < 6 && abs(last.u - color.u) < 6 && abs(last.v - color.v) < 6
  }
}
