import JingleCore
import MediaTime
import Testing
import XMPPCore

@Suite(.timeLimit(.minutes(1))) struct XEP0234FileResumptionBehaviorTests {
  /// Of 10 GB, of which all but ten bytes are there: 500 s at the speed of a slow disk.
  private static let (size, offset) = (Int64(10_000_000_010), Int64(10_000_000_000))
  private static let file = FileDescription(
    name: "film", size: size, hashes: Hashes(announced: [.sha256]), range: .init())

  private func side(_ direction: FileTransfer.Direction) -> FileSide {
    var answer = Self.file
    answer.range = .init(offset: Self.offset)
    return direction == .receiving
      ? FileSide(answering: Self.file, .receiving).after([.accept(from: Self.offset), .ready])
      : FileSide(proposing: Self.file, .sending).after([.accepted(answer), .ready])
  }

  @Test(arguments: FileTransfer.Direction.allCases)
  func `Before the rest of a file flows, there is time to hash what is there`(direction: FileTransfer.Direction) {
    #expect(side(direction)(.wait(.seconds(529))) == .wait)
    #expect(side(direction).after([.wait(.seconds(529))])(.moved(4)) == .wait)
    #expect(side(direction)(.wait(.seconds(530))) == .fail(.stalled, telling: Jingle.Reason(.timeout)))
  }

  @Test(arguments: FileTransfer.Direction.allCases)
  func `From the first byte on, the next is waited for as ever`(direction: FileTransfer.Direction) {
    let side = side(direction).after([.wait(.seconds(10)), .moved(4)])
    #expect(side(.wait(.seconds(29))) == .wait)
    #expect(side(.wait(.seconds(1))) == .fail(.stalled, telling: Jingle.Reason(.timeout)))
  }
}
