package import Logging
import NIOCore
package import XMPPCore

/// A stream to the account's server, negotiated and bound: stanzas go in, stanzas come out.
///
/// - Specification: RFC 6120
package final class XMPPConnection: Sendable {
  package struct Configuration: Sendable {
    /// The account's domain: what DNS is asked for, and whose certificate the server must show.
    package var domain: String
    package var localpart: String
    /// Never logged, nor part of an error.
    package var password: String
    /// The resource to ask for; nil leaves the choice to the server.
    package var resource: String?
    /// Where to connect instead of what DNS says.
    package var server: ConnectionTarget?
    /// PEM file with the certificate authorities to trust instead of the system's.
    package var certificateAuthorities: String?
    /// How long one target may take to accept the connection, and again to negotiate the stream.
    package var connectTimeout: Duration = .seconds(15)
    package var limits = XMLStreamParser.Limits()
    package var resolver = SRVResolver()
    package var logger: Logger

    package init(domain: String, localpart: String, password: String, logger: Logger = Logger(label: "carillon.xmpp")) {
      self.domain = domain
      self.localpart = localpart
      self.password = password
      self.logger = logger
    }
  }

  package enum Inbound: Sendable {
    case stanza(XMLElement)
    /// The last one.
    case closed(StreamEnd)
  }

  /// How a stream ended.
  package enum StreamEnd: Hashable, Sendable, CustomStringConvertible {
    /// `close()` was called.
    case closedLocally
    /// The server ended it, or said something that we had to end it for.
    case failed(StreamFailure)
    /// The connection broke.
    case connectionLost(String)
    /// The server took no more than `maximumBacklog` of what we sent.
    case backlog

    package var description: String {
      switch self {
      case .closedLocally: "The stream was closed."
      case .failed(let failure): failure.description
      case .connectionLost(let reason): "The connection to the server was lost: \(reason)."
      case .backlog: "The server does not take what is sent to it."
      }
    }
  }

  /// What is left of a managed stream whose connection was lost.
  package struct Former: Sendable {
    fileprivate(set) var jid: String
    fileprivate(set) var features: XMLElement
    fileprivate(set) var target: ConnectionTarget
    fileprivate(set) var management: StreamManagement
    /// False when the server could not live with the attempt: a new stream is made, and told what may be lost of this.
    package var isResumable = true

    var resumption: StreamManagement.Resumption? { isResumable ? management.resumption(of: jid) : nil }
  }

  /// Bytes that may wait to be written. More means that the server has stopped reading: the stream is given up, since
  /// to drop single stanzas would break it without a word.
  package static let maximumBacklog = 8 * 1024 * 1024

  /// Whether this stream carries on where the one before it ended: for both sides nothing was lost.
  package let isResumed: Bool
  /// Of the stream before this one, when it could not be carried on: what the server may not have, oldest first.
  package let undelivered: [StreamManagement.Unacknowledged]
  /// The full JID, in the server's words.
  package let boundJID: String
  /// The `<stream:features/>` that the server offered after authentication.
  package let features: XMLElement
  /// How we authenticated.
  package let mechanism: SASLMechanism
  /// Where the stream leads.
  package let target: ConnectionTarget
  /// What comes in, for one reader; ends after `.closed`. Not bounded: the server's stanzas are few and bounded each.
  package let inbound: AsyncStream<Inbound>

  private let channel: any Channel
  private let outbox: Outbox

  init(
    _ bound: StreamNegotiation.Bound, after former: Former?, at target: ConnectionTarget,
    inbound: AsyncStream<XMPPConnection.Inbound>, channel: any Channel, outbox: Outbox
  ) {
    boundJID = bound.jid
    mechanism = bound.mechanism
    self.target = target
    self.inbound = inbound
    self.channel = channel
    self.outbox = outbox
    switch bound.continuation {
    case .resumed:
      isResumed = true
      undelivered = []
      // A server may say less to a client that it knows.
      features = former?.features ?? bound.features
    case .failed(let handled):
      isResumed = false
      var management = former?.management
      undelivered = management?.end(handled: handled) ?? []
      features = bound.features
    case nil:
      isResumed = false
      undelivered = former?.management.unacknowledged ?? []
      features = bound.features
    }
  }

  deinit {
    channel.pipeline.fireUserInboundEventTriggered(StreamCommand.close)
  }

  /// Queues a stanza. From any thread, without waiting; stanzas leave in the order of the calls, those of one event
  /// loop turn in one write. After the end they are dropped: `inbound` tells.
  package func send(_ element: XMLElement) {
    outbox.send(element)
  }

  /// What is left for another connection to carry on; nil while the stream is managed by nobody. Asked when the stream
  /// has ended otherwise than by `close()`.
  package var former: Former? {
    outbox.management.map { Former(jid: boundJID, features: features, target: target, management: $0) }
  }

  /// Gives the connection up without a word, as one that is dead: the server keeps a managed stream for a while.
  package func abandon() {
    channel.eventLoop.execute { [channel] in
      channel.pipeline.fireUserInboundEventTriggered(StreamCommand.abandon(.connectionLost("it was given up")))
    }
  }

  /// Ends the stream in order: sends what is queued and the end tag, waits briefly for the server's, disconnects.
  package func close() async {
    channel.eventLoop.execute { [channel] in
      channel.pipeline.fireUserInboundEventTriggered(StreamCommand.close)
    }
    try? await channel.closeFuture.get()
  }
}

/// What the connection asks of its handler.
enum StreamCommand: Sendable {
  case close
  case abandon(XMPPConnection.StreamEnd)
}
