/// One place to try to connect to.
package struct ConnectionTarget: Hashable, Sendable, CustomStringConvertible {
  package enum Security: Hashable, Sendable {
    /// TLS from the first byte.
    case directTLS
    case startTLS
  }

  package var host: String
  package var port: Int
  package var security: Security

  package init(host: String, port: Int, security: Security) {
    self.host = host
    self.port = port
    self.security = security
  }

  package var description: String {
    (host.contains(":") ? "[\(host)]" : host) + ":\(port)"
  }
}

/// An SRV record.
///
/// - Specification: RFC 2782
package struct ServiceRecord: Hashable, Sendable {
  package var priority: UInt16
  package var weight: UInt16
  package var port: UInt16
  package var target: String

  package init(priority: UInt16, weight: UInt16, port: UInt16, target: String) {
    self.priority = priority
    self.weight = weight
    self.port = port
    self.target = target
  }
}

/// What DNS said to one SRV question.
package enum ServiceAnswer: Hashable, Sendable {
  case records([ServiceRecord])
  /// The name, or the record, does not exist.
  case none
  /// No answer, with the reason.
  case failed(String)
}

extension ConnectionTarget {
  /// The most targets that one domain can make us try.
  package static let maximumCount = 16

  /// The targets of a domain in the order to try them, both kinds of record taken as one set.
  ///
  /// Without any record the domain itself is the target, on port 5222. Empty if the domain says that it offers no such
  /// service (a record whose target is `.`).
  ///
  /// - Parameter random: returns a number of the range; uniform, except in tests.
  /// - Specification: RFC 2782, RFC 6120 §3.2, XEP-0368 §3
  package static func ordered(
    domain: String, directTLS: ServiceAnswer, startTLS: ServiceAnswer, random: (ClosedRange<Int>) -> Int
  ) -> [ConnectionTarget] {
    var candidates: [(record: ServiceRecord, security: Security)] = []
    var isAnswered = false
    for (answer, security) in [(directTLS, Security.directTLS), (startTLS, .startTLS)] {
      guard case .records(let records) = answer, !records.isEmpty else { continue }
      isAnswered = true
      candidates += records.filter { !["", "."].contains($0.target) && $0.port > 0 }.map { ($0, security) }
    }
    guard isAnswered else { return [ConnectionTarget(host: domain, port: 5222, security: .startTLS)] }

    var targets: [ConnectionTarget] = []
    for priority in Set(candidates.map(\.record.priority)).sorted() {
      let peers = candidates.filter { $0.record.priority == priority }
      // Weight 0 stands first, so that only a draw of 0 chooses it.
      var rest = peers.filter { $0.record.weight == 0 } + peers.filter { $0.record.weight > 0 }
      while !rest.isEmpty, targets.count < maximumCount {
        let draw = random(0...rest.reduce(0) { $0 + Int($1.record.weight) })
        var sum = 0
        let chosen = rest.firstIndex { peer in
          sum += Int(peer.record.weight)
          return sum >= draw
        }
        let (record, security) = rest.remove(at: chosen ?? 0)
        targets.append(ConnectionTarget(host: record.target, port: Int(record.port), security: security))
      }
    }
    return targets
  }
}

extension ConnectionTarget {
  /// A target that a person named: with port 5223 or 443 TLS from the first byte, with any other STARTTLS.
  package init(host: String, port: Int?) {
    let port = port ?? 5222
    self.init(host: host, port: port, security: [5223, 443].contains(port) ? .directTLS : .startTLS)
  }
}
