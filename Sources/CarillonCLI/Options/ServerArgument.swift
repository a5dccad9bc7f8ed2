import ArgumentParser
import Carillon

extension Client.ServerAddress {
  /// `HOST`, `HOST:PORT`, `[IPv6]` or `[IPv6]:PORT`; an IPv6 address without brackets is a host without a port.
  init(argument: String) throws {
    func refuse(_ reason: String) -> ValidationError {
      ValidationError("'\(argument)' is no HOST[:PORT]: \(reason).")
    }
    let host: Substring
    let port: Substring?
    if argument.hasPrefix("[") {
      guard let end = argument.firstIndex(of: "]") else { throw refuse("the bracket is not closed") }
      host = argument[argument.index(after: argument.startIndex)..<end]
      let rest = argument[argument.index(after: end)...]
      guard rest.isEmpty || rest.hasPrefix(":") else { throw refuse("after the bracket comes a colon and a port") }
      port = rest.isEmpty ? nil : rest.dropFirst()
    } else if let colon = argument.firstIndex(of: ":"), argument[argument.index(after: colon)...].contains(":") == false
    {
      host = argument[..<colon]
      port = argument[argument.index(after: colon)...]
    } else {
      host = argument[...]
      port = nil
    }
    guard !host.isEmpty, !host.contains(where: \.isWhitespace) else { throw refuse("the host is missing") }
    guard let port else {
      self.init(host: String(host))
      return
    }
    guard let number = UInt16(port), number > 0 else { throw refuse("a port is a number from 1 to 65535") }
    self.init(host: String(host), port: Int(number))
  }
}
