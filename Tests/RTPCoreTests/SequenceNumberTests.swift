import Testing

@testable import RTPCore

@Suite("Sequence numbers wrap")
struct SequenceNumberTests {
  static let starts: [UInt16] = [0, 1, 127, 32767, 32768, 65534, 65535]

  @Test(arguments: starts)
  func `A number's successor is one newer, wherever it starts`(start: UInt16) {
    let number = SequenceNumber(rawValue: start)
    #expect((number + 1).rawValue == start &+ 1)
    #expect((number + 1) - number == 1)
    #expect(number - (number + 1) == -1)
    #expect((number + 1).isNewer(than: number))
    #expect(!number.isNewer(than: number + 1))
    #expect(!number.isNewer(than: number))
    #expect((number + 32767) - number == 32767)
    #expect((number + 32768) - number == -32768)
  }

  @Test(arguments: starts)
  func `An extended number follows three wraps up and down again`(start: UInt16) {
    var extended = ExtendedSequenceNumber(SequenceNumber(rawValue: start))
    let first = extended
    for step in 1...200 {
      extended = extended.nearest(SequenceNumber(rawValue: start) + step * 1000)
      #expect(extended - first == step * 1000)
    }
    for step in (0..<200).reversed() {
      extended = extended.nearest(SequenceNumber(rawValue: start) + step * 1000)
      #expect(extended - first == step * 1000)
    }
    #expect(extended == first)
    #expect(extended.sequenceNumber.rawValue == start)
  }
}
