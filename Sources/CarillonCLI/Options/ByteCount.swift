import ArgumentParser

/// A number of bytes as people write it: `1500`, `500M`, `2.5G`; K, M, G and T count in thousands.
struct ByteCount: Equatable, Sendable {
  var bytes: Int64

  init(argument: String) throws {
    let units: [Character: Double] = ["K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12]
    var digits = argument.uppercased()
    if digits.hasSuffix("B") { digits.removeLast() }
    let scale = digits.last.flatMap { units[$0] }
    if scale != nil { digits.removeLast() }
    guard let number = Double(digits), number >= 0, number * (scale ?? 1) < 9e18 else {
      throw ValidationError("'\(argument)' is no size; write it as 500M, 2G or 1500.")
    }
    bytes = Int64((number * (scale ?? 1)).rounded())
  }
}

/// `17 B`, `4.1 kB`, `1.07 GB`.
func byteCount(_ count: Int64) -> String {
  var number = Double(count)
  for unit in ["B", "kB", "MB", "GB"] {
    if number < 999.5 {
      return decimal(number, places: unit == "B" || number >= 99.95 ? 0 : number >= 9.995 ? 1 : 2) + " \(unit)"
    }
    number /= 1000
  }
  return decimal(number, places: 2) + " TB"
}
