import ArgumentParser
import Carillon

/// What `answer --from` names: an account or a device, or the word `contacts`.
enum CallerArgument: Equatable, Sendable {
  case contacts
  case address(JID)

  init(argument: String) throws {
    self = argument == "contacts" ? .contacts : .address(try parseJID(argument))
  }
}
