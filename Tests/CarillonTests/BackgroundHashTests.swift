import Dispatch
import MediaCodecs
import NIOCore
import Testing
import XMPPCore

@testable import Carillon

@Suite(.timeLimit(.minutes(1)))
struct BackgroundHashTests {
  @Test("What is hashed in the background is hashed whole and in order", arguments: [0, 1, 9, 100])
  func order(count: Int) async {
    let background = BackgroundHash(RunningHash([.sha256, .sha1]), on: CodecThread(name: "hash-test"))
    var expected = RunningHash([.sha256, .sha1])
    for index in 0..<count {
      // More than may wait, of buffers of all sizes.
      let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: index * 7919 % 600_000)
      expected.update(bytes)
      await background.update(ByteBuffer(bytes: bytes))
    }
    #expect(await background.finish() == expected.finish())
  }

  @Test("Where the thread has too much to do already, the hash is the same")
  func busyThread() async {
    let thread = CodecThread(name: "hash-test")
    let gate = DispatchSemaphore(value: 0)
    let background = BackgroundHash(RunningHash([.sha256]), on: thread)
    // Held back, with as much behind it as it takes.
    _ = thread.perform { gate.wait() }
    while thread.perform({}) {}
    await background.update(ByteBuffer(bytes: [1, 2, 3]))
    #expect(await background.finish() == [HashValue(.sha256, of: [1, 2, 3])])
    gate.signal()
  }
}
