public import Logging

extension Client {
  /// Everything a client needs to know before it connects.
  public struct Configuration: Sendable {
    /// The account, bare or with the resource to ask for; without one, the client makes up its own.
    public var account: JID
    /// The account's password; never logged.
    public var password: String
    /// Where to connect instead of what DNS says (SRV records of the account's domain).
    public var server: ServerAddress?
    /// PEM file with the certificate authorities to trust instead of the system's.
    public var certificateAuthorities: String?
    /// Lets only relayed candidates out, so that the peer never learns this machine's addresses.
    public var relayOnly = false
    /// How long a call may ring before it is given up.
    public var ringingTimeout: Duration = .seconds(30)
    /// How long ICE and DTLS may take together.
    public var connectTimeout: Duration = .seconds(20)
    /// How many calls there may be at once, ringing ones included; further proposals are not heard.
    public var maximumCalls = 32
    /// Larger files are declined; nil takes all that there is room for.
    public var maximumFileSize: Int64?
    /// Whose calls ring at all, beside what `Handlers.allowsCall` says.
    public var callers = Callers.anyone
    public var logger: Logger
    /// How long nothing may move between this machine and a web server, and what is as good as nothing.
    package var webIdleTimeout = Duration.seconds(30)
    package var webRate = (bytesPerSecond: Int64(256), window: Duration.seconds(60))
    /// What is fetched from a web server that says nothing of its length, where nobody says otherwise, in bytes.
    package var webUnannounced = Int64(1) << 30
    /// Where web servers are instead of what DNS says.
    package var webAddresses: [String: String] = [:]
    /// After how long a silence the server is asked whether it is still there, and how long it may take to answer.
    package var keepalive = (silence: Duration.seconds(60), answer: Duration.seconds(20))
    /// How long what was stored after a stored proposal is waited for.
    package var settlingTime = Duration.seconds(2)
    /// Whether a peer's new call takes the place of the running one with it (XEP-0353 §4.2). Not so in benchmarks,
    /// which hold many calls between two accounts.
    package var migratesCalls = true
    /// How many blocks of an in-band bytestream may be under way; in benchmarks also 1, as simple clients have it.
    package var maximumInBandBlocks: Int?

    public init(account: JID, password: String, logger: Logger = Logger(label: "carillon")) {
      self.account = account
      self.password = password
      self.logger = logger
    }
  }

  /// Whose calls ring. Others are not told that this account is there: ringing, and errors other than the server's own,
  /// would tell them.
  ///
  /// Whom this account is calling at the moment may call in any case, and knows already.
  ///
  /// - Specification: XEP-0353 §6
  public enum Callers: Hashable, Sendable {
    case anyone
    /// Who is in the account's roster and may see its presence (subscription `from` or `both`), so that ringing tells it
    /// nothing new.
    case contacts
  }

  /// A call that nobody could answer any more when it was heard of: it had come while this device was away, and no other
  /// device of the account dealt with it.
  public struct MissedCall: Hashable, Sendable {
    public var peer: JID
    public var sid: String
    public var media: Set<MediaKind>
    /// Seconds since 1970-01-01 00:00 UTC when it was proposed.
    public var proposedAt: Duration
  }

  /// An invitation to a call, and what became of it. Nothing is joined by itself.
  ///
  /// - Specification: XEP-0482
  public struct CallInvitation: Hashable, Sendable {
    /// A way to join.
    public enum Meeting: Hashable, Sendable {
      /// A Jingle session that `device` begins with whoever accepts the invitation.
      case jingle(sid: String, device: JID)
      /// A conference on the web, or a telephone number: `https:`, `tel:`, …
      case uri(String)
      /// A conference in a chat room (XEP-0272).
      case room(JID)
    }

    public enum State: Hashable, Sendable {
      case open
      /// The inviter took it back.
      case retracted
      /// Another device of this account answered.
      case acceptedElsewhere
      case declinedElsewhere
    }

    /// A device, or an occupant of a chat room.
    public var inviter: JID
    /// Names the invitation among the inviter's.
    public var id: String
    public var media: Set<MediaKind>
    /// In the inviter's order of preference. Ways that this client does not know are left out.
    public var meetings: [Meeting]
    public var state = State.open
  }

  /// A host and, if not 5222 (STARTTLS), a port; 5223 and 443 are spoken to with TLS from the first byte.
  public struct ServerAddress: Sendable, Hashable {
    public var host: String
    public var port: Int?

    public init(host: String, port: Int? = nil) {
      self.host = host
      self.port = port
    }
  }

  /// What an embedder does when something happens. Handlers run as children of `run(_:)`.
  public struct Handlers: Sendable {
    /// The stream is up, under this full address. Called again after each reconnection.
    public var onOnline: (@Sendable (JID) async -> Void)?
    /// Decides who may call at all; nil lets everybody. The device of whoever may not never rings, and the caller is not
    /// told that this account is there.
    public var allowsCall: (@Sendable (JID) -> Bool)?
    /// A call that came too late to ring: it was proposed while this device was away. Told once for each.
    public var onMissed: (@Sendable (MissedCall) async -> Void)?
    /// Somebody who may call invites to a call that is not Jingle's between two (XEP-0482). Called again when the
    /// invitation is taken back, or another device of this account answers it.
    public var onInvitation: (@Sendable (CallInvitation) async -> Void)?
    /// Decides who may offer files at all, or ask for some; nil lets everybody. Others are not told that this account is
    /// there.
    public var allowsFile: (@Sendable (JID) -> Bool)?
    /// Somebody offers a file. Returning without an answer declines; see `IncomingFile`. Without it, none are taken.
    public var onFile: (@Sendable (consuming IncomingFile) async throws -> Void)?
    /// Somebody who may offer files shares one as a link in a message (XEP-0447, XEP-0066), perhaps while this device was
    /// away. Taking it fetches it by https from whatever server they named, which learns this machine's address, and
    /// which may be one that only this machine reaches: set this only for senders that are trusted so far. Without it,
    /// and where `Configuration.relayOnly` hides this machine, nothing is fetched.
    public var onSharedFile: (@Sendable (consuming IncomingFile) async throws -> Void)?
    /// Somebody asks for a file. Returning without an answer declines; see `FileRequest`. Without it, none are given.
    public var onFileRequest: (@Sendable (consuming FileRequest) async throws -> Void)?
    /// Somebody calls. Returning without an answer declines; see `IncomingCall`.
    public var onCall: (@Sendable (consuming IncomingCall) async throws -> Void)?

    public init() {}
  }
}
