/// Cuts encoded frames into payloads, each written behind the header of its packet.
package protocol VideoPacketizer: Sendable {
  /// The most bytes that stand before the frame's data in a payload.
  func overhead(of frame: Span<UInt8>) -> Int

  /// Appends the payload that carries a part of the frame.
  func writePayload(_ range: Range<Int>, of frame: Span<UInt8>, to packet: inout [UInt8])

  /// What follows is another frame's.
  mutating func nextFrame()
}

extension VideoPacketizer {
  /// The frame's parts, for payloads of at most `limit` bytes that are about equally long.
  package func pieces(of frame: Span<UInt8>, limit: Int) -> FramePieces {
    FramePieces(of: frame.count, limit: limit - overhead(of: frame))
  }
}

/// The fewest ranges of at most `limit` that make up `count`, whose lengths differ by one at most.
package struct FramePieces: RandomAccessCollection, Sendable {
  private let length: Int
  package let endIndex: Int

  package init(of count: Int, limit: Int) {
    precondition(limit > 0, "a packet must have room for data")
    length = count
    endIndex = (count + limit - 1) / limit
  }

  package var startIndex: Int { 0 }

  package subscript(index: Int) -> Range<Int> {
    index * length / endIndex..<(index + 1) * length / endIndex
  }
}
