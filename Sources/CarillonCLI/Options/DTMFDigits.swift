import ArgumentParser

/// Keys of a telephone's pad to be pressed: `0`…`9`, `*`, `#`, `A`…`D`, and `,` for a pause.
struct DTMFDigits: Equatable, Sendable {
  var text: String

  init(argument: String) throws {
    text = argument.uppercased()
    guard (1...64).contains(text.count), text.allSatisfy({ "0123456789*#ABCD,".contains($0) }) else {
      throw ValidationError("'\(argument.prefix(80))' is none of 0-9, *, #, A-D and , (a pause), 1 to 64 of them.")
    }
  }
}
