import MediaTime
import Testing

@testable import Carillon

@Suite("Bytes handed over at once", .timeLimit(.minutes(1)))
struct StrideTests {
  @Test("A fast way gets many, once it has shown that it is fast")
  func fast() {
    var stride = Stride(upTo: 512 << 10)
    var now = Instant(nanoseconds: 0)
    var counts: [Int] = []
    for _ in 0..<400 {
      counts.append(stride.count)
      now = now + .milliseconds(1)
      stride.moved(stride.count, at: now)
    }
    #expect(counts.prefix(128).allSatisfy { $0 == 64 << 10 })
    #expect(counts.last == 512 << 10)
  }

  @Test("A slow way gets few, however many fit between it and here")
  func slow() {
    var stride = Stride(upTo: 512 << 10)
    var now = Instant(nanoseconds: 0)
    var total = 0
    while total < 32 << 20 {
      #expect(stride.count == 64 << 10)
      total += stride.count
      // What is between is full after 4 MiB; then 10 kB go in a second.
      now = now + (total < 4 << 20 ? .microseconds(10) : .milliseconds(stride.count / 10))
      stride.moved(stride.count, at: now)
    }
  }

  @Test("A way that becomes slow gets few again")
  func slower() {
    var stride = Stride(upTo: 512 << 10)
    var now = Instant(nanoseconds: 0)
    for _ in 0..<400 {
      now = now + .milliseconds(1)
      stride.moved(stride.count, at: now)
    }
    for _ in 0..<2 {
      now = now + .seconds(1)
      stride.moved(stride.count, at: now)
    }
    #expect(stride.count == 64 << 10)
  }

  @Test("A way that takes little at once never gets more")
  func little() {
    var stride = Stride(upTo: 16 << 10)
    var now = Instant(nanoseconds: 0)
    for _ in 0..<2000 {
      #expect(stride.count == 16 << 10)
      now = now + .microseconds(10)
      stride.moved(stride.count, at: now)
    }
  }
}
