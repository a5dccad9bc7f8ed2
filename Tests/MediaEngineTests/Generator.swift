/// Random bytes that are the same in every run.
struct Generator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  /// SplitMix64.
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// A datagram whose first byte says DTLS.
  mutating func garbage() -> [UInt8] {
    let count = Int.random(in: 1...200, using: &self)
    return [UInt8.random(in: 20...63, using: &self)] + (1..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
  }
}
