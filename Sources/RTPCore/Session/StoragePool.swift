/// Arrays that earlier packets have left behind, so that later ones need not allocate.
struct StoragePool: Sendable {
  private static let capacity = 128
  /// Larger ones are not kept.
  private static let maximumSize = 16_384

  private var spare: [[UInt8]] = []

  /// An empty array with room for a packet, and for an SRTP trailer behind it.
  mutating func take(capacity: Int) -> [UInt8] {
    var storage = spare.popLast() ?? []
    storage.reserveCapacity(capacity + RTPSession.trailerCapacity)
    return storage
  }

  mutating func give(_ storage: consuming [UInt8]) {
    guard spare.count < Self.capacity, storage.capacity <= Self.maximumSize else { return }
    storage.removeAll(keepingCapacity: true)
    spare.append(storage)
  }
}
