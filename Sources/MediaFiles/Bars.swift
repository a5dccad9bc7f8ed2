import Foundation
public import MediaCodecs
import Synchronization

/// A test picture without an end: colour bars, a running clock to read, and its number and time of capture in large black and
/// white blocks, which a program reads back from a decoded and scaled picture.
public final class Bars: Sendable {
  /// What a picture says of itself.
  public struct Reading: Equatable, Sendable {
    /// The picture's number, from 0.
    public var counter: UInt32
    /// When the picture was drawn: milliseconds since 1 January 1970 UTC, modulo 2³² (50 days).
    public var captureMilliseconds: UInt32

    public init(counter: UInt32, captureMilliseconds: UInt32) {
      self.counter = counter
      self.captureMilliseconds = captureMilliseconds
    }

    /// How long before `time`, since 1 January 1970 UTC, the picture was drawn; negative when it comes from a clock ahead.
    public func age(at time: Duration) -> Duration {
      .milliseconds(Int(Int32(bitPattern: Bars.milliseconds(time) &- captureMilliseconds)))
    }
  }

  /// The time since 1 January 1970 UTC.
  public static let wallClock: @Sendable () -> Duration = { .seconds(Date().timeIntervalSince1970) }

  public let size: VideoSize
  public let framesPerSecond: Int
  private let clock: @Sendable () -> Duration
  private let background: VideoFrame
  private let count = Mutex<UInt32>(0)

  /// - Parameters:
  ///   - size: from 64×60 on, programs can read the picture; from 160×90 on, people too.
  ///   - framesPerSecond: 1 to 120: how the timestamps advance.
  ///   - clock: the time since 1 January 1970 UTC, for the time of capture.
  public init(
    size: VideoSize = VideoSize(width: 640, height: 360), framesPerSecond: Int = 30,
    clock: @escaping @Sendable () -> Duration = Bars.wallClock
  ) {
    precondition((1...120).contains(framesPerSecond), "video has 1 to 120 pictures a second")
    self.size = size
    self.framesPerSecond = framesPerSecond
    self.clock = clock
    background = Self.drawBackground(size)
  }

  /// Draws the next picture. Its timestamp is its number divided by the frame rate.
  public func nextFrame() -> VideoFrame? {
    let counter = count.withLock { count in
      defer { count &+= 1 }
      return count
    }
    let time = clock()
    let reading = Reading(counter: counter, captureMilliseconds: Self.milliseconds(time))
    let timestamp = Duration.nanoseconds(Int64(counter) * 1_000_000_000 / Int64(framesPerSecond))
    return draw(reading, timestamp: timestamp)
  }

  /// Reads what `draw` wrote, from a picture of any size.
  ///
  /// - Returns: nil when the picture is another one or too damaged.
  public static func read(from frame: VideoFrame) -> Reading? {
    let bits = frame.withPixels(of: .y) { pixels, stride in
      (0..<BarsCode.bitCount).map { bit in
        let area = BarsCode.area(of: bit, in: frame.size).center
        var sum = 0
        for y in area.rows {
          for x in area.columns { sum += Int(pixels[y * stride + x]) }
        }
        return sum > 126 * area.rows.count * area.columns.count
      }
    }
    return BarsCode.reading(of: bits)
  }

  static func milliseconds(_ time: Duration) -> UInt32 {
    let (seconds, attoseconds) = time.components
    return UInt32(truncatingIfNeeded: seconds &* 1_000 &+ attoseconds / 1_000_000_000_000_000)
  }

  // MARK: Drawing

  func draw(_ reading: Reading, timestamp: Duration) -> VideoFrame {
    VideoFrame(size: size, timestamp: timestamp) { plane, pixels, stride in
      background.withPixels(of: plane) { source, _ in
        source.withUnsafeBufferPointer { source in
          pixels.withUnsafeMutableBufferPointer { _ = $0.update(fromContentsOf: source) }
        }
      }
      guard plane == .y else { return }
      for (bit, isSet) in BarsCode.bits(of: reading).enumerated() where isSet {
        Self.fill(BarsCode.area(of: bit, in: size), 235, &pixels, stride)
      }
      write(Self.text(reading), &pixels, stride)
    }
  }

  private static func fill(_ area: BarsCode.Area, _ value: UInt8, _ pixels: inout MutableSpan<UInt8>, _ stride: Int) {
    pixels.withUnsafeMutableBufferPointer { pixels in
      for y in area.rows {
        let row = y * stride + area.columns.lowerBound..<y * stride + area.columns.upperBound
        pixels[row].update(repeating: value)
      }
    }
  }

  /// `34:56.7 000042`: minutes and seconds of the clock, and the picture's number.
  private static func text(_ reading: Reading) -> String {
    func padded(_ value: UInt32, _ width: Int) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    let tenths = reading.captureMilliseconds / 100
    let clock = "\(padded(tenths / 600 % 60, 2)):\(padded(tenths / 10 % 60, 2)).\(tenths % 10)"
    return "\(clock) \(padded(reading.counter, 6))"
  }

  /// Below the bars, in letters three blocks wide and five high.
  private func write(_ text: String, _ pixels: inout MutableSpan<UInt8>, _ stride: Int) {
    let block = size.width / (4 * text.count + 2)
    let top = size.height * 13 / 15 - 5 * block / 2
    guard block > 0, top + 5 * block <= size.height else { return }
    for (position, character) in text.enumerated() {
      guard let glyph = Self.glyphs[character] else { continue }
      for bit in 0..<15 where glyph >> (14 - bit) & 1 == 1 {
        let (x, y) = ((1 + 4 * position + bit % 3) * block, top + bit / 3 * block)
        Self.fill(.init(columns: x..<x + block, rows: y..<y + block), 235, &pixels, stride)
      }
    }
  }

  /// Five rows of three bits.
  private static let glyphs: [Character: Int] = [
    "0": 0b111_101_101_101_111, "1": 0b010_110_010_010_111, "2": 0b111_001_111_100_111, "3": 0b111_001_111_001_111,
    "4": 0b101_101_111_001_001, "5": 0b111_100_111_001_111, "6": 0b111_100_111_101_111, "7": 0b111_001_010_010_010,
    "8": 0b111_101_111_101_111, "9": 0b111_101_111_001_111, ":": 0b000_010_000_010_000, ".": 0b000_000_000_000_010,
  ]

  /// White, yellow, cyan, green, magenta, red, blue at three quarters, in BT.601.
  private static let colors: [(y: UInt8, u: UInt8, v: UInt8)] = [
    (180, 128, 128), (162, 44, 142), (131, 156, 44), (112, 72, 58), (84, 184, 198), (65, 100, 212), (35, 212, 114),
  ]

  /// Black for the code above and the text below, bars between them.
  private static func drawBackground(_ size: VideoSize) -> VideoFrame {
    VideoFrame(size: size, timestamp: .zero) { plane, pixels, stride in
      let half = plane == .y ? 1 : 2
      let visible = plane == .y ? size : VideoSize(width: (size.width + 1) / 2, height: (size.height + 1) / 2)
      let bars = size.height / 3..<size.height * 11 / 15
      for index in pixels.indices { pixels[index] = plane == .y ? 16 : 128 }
      for y in 0..<visible.height where bars.contains(y * half) {
        for x in 0..<visible.width {
          let color = colors[min(x * half * colors.count / size.width, colors.count - 1)]
          pixels[y * stride + x] = plane == .y ? color.y : plane == .u ? color.u : color.v
        }
      }
    }
  }
}

/// Five rows of 16 blocks in the upper third of the picture: counter and milliseconds as Gray codes, so that few blocks change
/// from one picture to the next, and a checksum of both.
enum BarsCode {
  static let columnCount = 16
  static let rowCount = 5
  static let bitCount = columnCount * rowCount

  struct Area {
    var columns: Range<Int>
    var rows: Range<Int>

    /// The inner half: compression smears the edges. Never empty.
    var center: Area {
      func inner(_ range: Range<Int>) -> Range<Int> {
        let start = min(range.lowerBound + range.count / 4, range.upperBound)
        return start..<max(start, range.upperBound - range.count / 4)
      }
      return Area(columns: inner(columns), rows: inner(rows))
    }
  }

  static func area(of bit: Int, in size: VideoSize) -> Area {
    let (row, column) = bit.quotientAndRemainder(dividingBy: columnCount)
    // The rows share a third of the height.
    let rows = 3 * rowCount
    return Area(
      columns: size.width * column / columnCount..<size.width * (column + 1) / columnCount,
      rows: size.height * row / rows..<size.height * (row + 1) / rows)
  }

  static func bits(of reading: Bars.Reading) -> [Bool] {
    let (counter, time) = (gray(reading.counter), gray(reading.captureMilliseconds))
    return bits(counter) + bits(time) + bits(checksum(counter, time))
  }

  static func reading(of bits: [Bool]) -> Bars.Reading? {
    let (counter, time) = (number(bits[0..<32]), number(bits[32..<64]))
    guard number(bits[64..<80]) == UInt32(checksum(counter, time)) else { return nil }
    return Bars.Reading(counter: plain(counter), captureMilliseconds: plain(time))
  }

  private static func bits(_ value: some FixedWidthInteger) -> [Bool] {
    (0..<value.bitWidth).map { value >> (value.bitWidth - 1 - $0) & 1 == 1 }
  }

  private static func number(_ bits: ArraySlice<Bool>) -> UInt32 { bits.reduce(0) { $0 << 1 | ($1 ? 1 : 0) } }

  private static func gray(_ value: UInt32) -> UInt32 { value ^ value >> 1 }

  private static func plain(_ gray: UInt32) -> UInt32 {
    [1, 2, 4, 8, 16].reduce(gray) { $0 ^ $0 >> UInt32($1) }
  }

  /// CRC-16/CCITT over both, begun with ones: a black picture is no reading.
  private static func checksum(_ counter: UInt32, _ time: UInt32) -> UInt16 {
    var crc: UInt16 = 0xFFFF
    for bit in bits(UInt64(counter) << 32 | UInt64(time)) {
      let isSet = (crc >> 15 == 1) != bit
      crc = crc << 1 ^ (isSet ? 0x1021 : 0)
    }
    return crc
  }
}
