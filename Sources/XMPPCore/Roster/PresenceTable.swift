/// Which devices of whom are available, as their presence says.
///
/// - Specification: RFC 6121 §4
package struct PresenceTable: Sendable {
  package struct Device: Hashable, Sendable {
    package var jid: JID
    package var priority: Int8
    package var show: Presence.Show?
    package var capabilities: Capabilities?
  }

  private let maximumAccounts: Int
  private let maximumDevices: Int
  private var accounts: [JID: [JID: Device]] = [:]

  /// - Parameters:
  ///   - maximumAccounts: of how many bare addresses devices are kept; those who come later are not noted.
  ///   - maximumDevices: how many devices of each are kept.
  package init(maximumAccounts: Int = 4096, maximumDevices: Int = 64) {
    self.maximumAccounts = maximumAccounts
    self.maximumDevices = maximumDevices
  }

  package subscript(jid: JID) -> Device? { accounts[jid.bare]?[jid] }

  /// The available devices of an account, the preferred one first.
  package func devices(of account: JID) -> [Device] {
    (accounts[account.bare] ?? [:]).values.sorted {
      $0.priority == $1.priority ? $0.jid.description < $1.jid.description : $0.priority > $1.priority
    }
  }

  /// What a presence changed.
  package enum Change: Hashable, Sendable {
    /// A device came, or says something new of itself.
    case available(Device)
    /// Devices went.
    case unavailable([JID])
  }

  /// Takes a presence; nil when it changes nothing here, as a request for a subscription does not.
  package mutating func receive(_ presence: Presence) -> Change? {
    guard let jid = presence.from else { return nil }
    switch presence.type {
    case .available:
      let device = Device(
        jid: jid, priority: presence.priority, show: presence.show, capabilities: presence.capabilities)
      guard self[jid] != device else { return nil }
      guard accounts[jid.bare] != nil || accounts.count < maximumAccounts else { return nil }
      var devices = accounts[jid.bare] ?? [:]
      guard devices[jid] != nil || devices.count < maximumDevices else { return nil }
      devices[jid] = device
      accounts[jid.bare] = devices
      return .available(device)
    case .unavailable, .error:
      // From a bare address this is said of the whole account: it cannot be reached, or is not shown any more.
      let gone = jid.isBare ? devices(of: jid).map(\.jid) : self[jid].map { [$0.jid] } ?? []
      for device in gone { accounts[jid.bare]?[device] = nil }
      if accounts[jid.bare]?.isEmpty == true { accounts[jid.bare] = nil }
      return gone.isEmpty ? nil : .unavailable(gone)
    case .subscribe, .subscribed, .unsubscribe, .unsubscribed, .probe:
      return nil
    }
  }

  /// The stream is gone, and with it all knowledge of who is available.
  package mutating func disconnected() {
    accounts = [:]
  }
}
