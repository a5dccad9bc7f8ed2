import Foundation
import Testing

@testable import CarillonCLI

@Suite struct LikenessTests {
  /// Two seconds of something that is never the same twice.
  private static let chirp: [Float] = (0..<32_000).map { index in
    let time = Double(index) / 16_000
    return Float(0.5 * sin(2 * .pi * (200 + 700 * time) * time))
  }

  /// The definition, for short inputs.
  private func directly(_ a: [Float], _ b: [Float]) -> [Double] {
    ((1 - a.count)...(b.count - 1)).map { lag in
      a.indices.reduce(0.0) { sum, index in
        b.indices.contains(index + lag) ? sum + Double(a[index] * b[index + lag]) : sum
      }
    }
  }

  @Test("The fast cross-correlation is the definition's", arguments: [(1, 1), (1, 7), (8, 5), (37, 64)])
  func correlation(first: Int, second: Int) {
    let (a, b) = (Array(Self.chirp[100..<(100 + first)]), Array(Self.chirp[900..<(900 + second)]))
    let fast = crossCorrelation(a, b)
    let slow = directly(a, b)
    #expect(fast.count == slow.count)
    #expect(zip(fast, slow).allSatisfy { abs($0 - $1) < 1e-6 })
  }

  @Test("A delayed, quieter copy is the same sound", arguments: [0, 43, 700])
  func delayedCopy(milliseconds: Int) throws {
    let recording = [Float](repeating: 0, count: milliseconds * 16) + Self.chirp.map { $0 * 0.25 }
    let likeness = try #require(Likeness(source: Sound(samples: Self.chirp), recording: Sound(samples: recording)))
    #expect(likeness.correlation > 0.999)
    #expect(likeness.delay == .milliseconds(milliseconds))
    #expect(likeness.longestGap == .zero)
  }

  @Test("A recording that lacks the beginning has a negative delay")
  func lateStart() throws {
    let recording = Sound(samples: Array(Self.chirp.dropFirst(1600)))
    let likeness = try #require(Likeness(source: Sound(samples: Self.chirp), recording: recording))
    #expect(likeness.correlation > 0.999)
    #expect(likeness.delay == .milliseconds(-100))
  }

  @Test("Another sound is not alike")
  func otherSound() throws {
    let other = Sound(samples: (0..<32_000).map { Float(0.5 * sin(2 * .pi * 3000 * Double($0) / 16_000)) })
    let likeness = try #require(Likeness(source: Sound(samples: Self.chirp), recording: other))
    #expect(likeness.correlation < 0.2)
  }

  @Test("A hole is a gap, a pause of the source is none")
  func gaps() throws {
    var source = Self.chirp
    for index in 4_000..<12_000 { source[index] = 0 }
    var recording = source
    #expect(
      try #require(Likeness(source: Sound(samples: source), recording: Sound(samples: recording))).longestGap == .zero)
    for index in 16_000..<20_800 { recording[index] = 0 }
    let gap = try #require(Likeness(source: Sound(samples: source), recording: Sound(samples: recording))).longestGap
    #expect((280...300).contains(gap.milliseconds))
  }

  @Test("Silence is like nothing")
  func silence() {
    let nothing = Sound(samples: [Float](repeating: 0, count: 1600))
    #expect(Likeness(source: Sound(samples: Self.chirp), recording: nothing) == nil)
    #expect(Likeness(source: nothing, recording: Sound(samples: Self.chirp)) == nil)
    #expect(Likeness(source: Sound(samples: []), recording: Sound(samples: [])) == nil)
  }
}
