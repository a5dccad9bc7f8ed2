import CCares
import Glibc
import MediaTime
import NIOPosix
package import XMPPCore

/// Asks DNS where a domain's XMPP service is.
///
/// c-ares does the asking, polled on a thread of NIO's pool for blocking work until the answers are there or the time
/// is over.
///
/// - Specification: RFC 6120 §3.2.1, XEP-0368
package struct SRVResolver: Sendable {
  /// The servers to ask, as `address:port`, instead of the system's.
  package var servers: [String]?
  /// How long both questions may take together.
  package var timeout: Duration

  package init(servers: [String]? = nil, timeout: Duration = .seconds(5)) {
    self.servers = servers
    self.timeout = timeout
  }

  package struct Answers: Hashable, Sendable {
    package var directTLS: ServiceAnswer
    package var startTLS: ServiceAnswer
  }

  /// Asks both questions at once. Never throws: an answer that does not come is `.failed`.
  ///
  /// - Parameter domain: in ASCII (A-labels).
  package func answers(for domain: String) async -> Answers {
    let names = ["_xmpps-client._tcp.\(domain)", "_xmpp-client._tcp.\(domain)"]
    let answers = try? await NIOThreadPool.singleton.runIfActive { ask(names) }
    guard let answers, answers.count == 2 else {
      return Answers(directTLS: .failed("cancelled"), startTLS: .failed("cancelled"))
    }
    return Answers(directTLS: answers[0], startTLS: answers[1])
  }

  /// One question; c-ares holds a pointer to it until it is answered.
  private final class Question {
    var answer: ServiceAnswer?
  }

  private static let libraryStatus = ares_library_init(ARES_LIB_INIT_ALL)

  private func ask(_ names: [String]) -> [ServiceAnswer] {
    func failed(_ status: Int32) -> [ServiceAnswer] {
      names.map { _ in .failed(String(cString: ares_strerror(status))) }
    }
    guard Self.libraryStatus == ARES_SUCCESS else { return failed(Self.libraryStatus) }
    var options = ares_options()
    options.timeout = Int32(clamping: timeout.nanoseconds / 1_000_000 / 3)
    options.tries = 2
    var channel: ares_channel?
    var status = ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES)
    guard status == ARES_SUCCESS, let channel else { return failed(status) }
    defer { ares_destroy(channel) }
    if let servers {
      status = ares_set_servers_ports_csv(channel, servers.joined(separator: ","))
      guard status == ARES_SUCCESS else { return failed(status) }
    }

    let questions = names.map { _ in Question() }
    for (name, question) in zip(names, questions) {
      // Each question is answered (at the latest by ares_cancel) before `questions` ends.
      ares_query(
        channel, name, Int32(ns_c_in.rawValue), Int32(ns_t_srv.rawValue),
        { context, status, _, bytes, count in
          guard let context else { return }
          let question = Unmanaged<Question>.fromOpaque(context).takeUnretainedValue()
          question.answer = SRVResolver.answer(status: status, bytes: bytes, count: count)
        }, Unmanaged.passUnretained(question).toOpaque())
    }
    let deadline = ContinuousClock.now + timeout
    while questions.contains(where: { $0.answer == nil }), ContinuousClock.now < deadline {
      Self.process(channel, atMost: deadline - .now)
    }
    ares_cancel(channel)
    return withExtendedLifetime(questions) { questions.map { $0.answer ?? .failed("no answer") } }
  }

  /// Waits for one of the channel's sockets, or for c-ares' own next time-out, and lets c-ares act on it.
  private static func process(_ channel: ares_channel, atMost limit: Duration) {
    var sockets = [ares_socket_t](repeating: -1, count: Int(ARES_GETSOCK_MAXNUM))
    let wanted = UInt32(bitPattern: ares_getsock(channel, &sockets, Int32(sockets.count)))
    var polls = sockets.enumerated().compactMap { index, socket -> pollfd? in
      let reads = wanted & 1 << UInt32(index) != 0
      let writes = wanted & 1 << UInt32(index + Int(ARES_GETSOCK_MAXNUM)) != 0
      guard reads || writes else { return nil }
      return pollfd(fd: socket, events: Int16((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)), revents: 0)
    }
    let microseconds = max(limit.nanoseconds / 1000, 0)
    var most = timeval(tv_sec: Int(microseconds / 1_000_000), tv_usec: Int(microseconds % 1_000_000))
    var wait = most
    ares_timeout(channel, &most, &wait)
    let milliseconds = Int32(clamping: wait.tv_sec &* 1000 &+ wait.tv_usec / 1000 + 1)
    guard poll(&polls, nfds_t(polls.count), milliseconds) > 0 else {
      return ares_process_fd(channel, -1, -1)
    }
    for poll in polls where poll.revents != 0 {
      // An error or a hang-up counts as readable: only reading makes c-ares notice it.
      let reads = poll.revents & Int16(POLLIN | POLLERR | POLLHUP) != 0
      let writes = poll.revents & Int16(POLLOUT) != 0
      ares_process_fd(channel, reads ? poll.fd : -1, writes ? poll.fd : -1)
    }
  }

  private static func answer(status: Int32, bytes: UnsafeMutablePointer<UInt8>?, count: Int32) -> ServiceAnswer {
    switch status {
    case ARES_SUCCESS: break
    case ARES_ENOTFOUND, ARES_ENODATA: return .none
    case ARES_ECANCELLED, ARES_ETIMEOUT: return .failed("DNS did not answer in time")
    default: return .failed(String(cString: ares_strerror(status)))
    }
    var first: UnsafeMutablePointer<ares_srv_reply>?
    let parsed = ares_parse_srv_reply(bytes, count, &first)
    defer { ares_free_data(first) }
    switch parsed {
    case ARES_SUCCESS: break
    case ARES_ENODATA: return .none
    default: return .failed(String(cString: ares_strerror(parsed)))
    }
    let records = sequence(first: first, next: { $0?.pointee.next }).compactMap { $0?.pointee }.map {
      ServiceRecord(
        priority: $0.priority, weight: $0.weight, port: $0.port, target: $0.host.map { String(cString: $0) } ?? "")
    }
    return .records(records)
  }
}
