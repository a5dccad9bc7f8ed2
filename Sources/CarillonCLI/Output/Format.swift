import FoundationEssentials

extension Duration {
  /// This span as a number of milliseconds.
  var milliseconds: Double {
    Double(components.seconds) * 1e3 + Double(components.attoseconds) / 1e15
  }

  /// `0:07`, `12:34`, `1:02:03`: whole seconds on a clock.
  var clock: String {
    let seconds = max(0, components.seconds)
    func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
    return (hours > 0 ? "\(hours):\(two(minutes))" : "\(minutes)") + ":" + two(seconds % 60)
  }

  /// `0.4 ms`, `41 ms`, `2.31 s`, `12.0 s`, `3:20`: as precise as a person wants it.
  var short: String {
    let milliseconds = milliseconds
    return switch milliseconds {
    case ..<9.95: decimal(milliseconds, places: 1) + " ms"
    case ..<999.5: decimal(milliseconds, places: 0) + " ms"
    case ..<9_995: decimal(milliseconds / 1000, places: 2) + " s"
    case ..<99_950: decimal(milliseconds / 1000, places: 1) + " s"
    default: clock
    }
  }
}

/// A number with so many decimals; `trimmed` leaves out zeros at the end.
func decimal(_ number: Double, places: Int, trimmed: Bool = false) -> String {
  let scale = (0..<places).reduce(1.0) { scale, _ in scale * 10 }
  let rounded = (abs(number) * scale).rounded()
  guard rounded < 9e15 else { return "\(number)" }
  let digits = String(Int64(rounded))
  let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
  var fraction = padded.suffix(places)
  if trimmed, let last = fraction.lastIndex(where: { $0 != "0" }) {
    fraction = fraction[...last]
  } else if trimmed {
    fraction = ""
  }
  let sign = number < 0 && rounded > 0 ? "-" : ""
  return sign + padded.dropLast(places) + (fraction.isEmpty ? "" : "." + fraction)
}

/// `lost` of all packets that were sent, such as `0.5 %`.
func percentage(lost: Int, arrived: Int) -> String {
  let (lost, arrived) = (max(0, lost), max(0, arrived))
  guard lost > 0 else { return "0 %" }
  return decimal(100 * Double(lost) / (Double(lost) + Double(arrived)), places: 1) + " %"
}

/// Text from the network as a terminal may see it: control characters, which could steer it, become `�`.
func printable(_ text: String) -> String {
  String(
    String.UnicodeScalarView(
      text.unicodeScalars.map { scalar in
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: "\u{FFFD}"
        default: scalar
        }
      }))
}
