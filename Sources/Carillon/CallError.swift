/// Why something failed: what kind of failure, a sentence for people that says what to do next, and the error behind it.
public struct CallError: Error, Sendable, CustomStringConvertible {
  /// The kind of failure. Stable: programs branch on it.
  public struct Code: Hashable, Sendable, CustomStringConvertible {
    public let description: String

    private init(_ description: String) { self.description = description }

    /// The peer declined.
    public static let declined = Code("declined")
    /// The peer is in another call.
    public static let busy = Code("busy")
    /// Nobody answered in time, or no device of the peer can be called.
    public static let noAnswer = Code("noAnswer")
    /// No codec, transport or encryption in common.
    public static let nothingInCommon = Code("nothingInCommon")
    /// ICE found no working path, DTLS failed, or the fingerprint did not match.
    public static let connectivity = Code("connectivity")
    /// The server could not be reached, or its certificate could not be trusted.
    public static let serverUnreachable = Code("serverUnreachable")
    /// An operation took longer than it may.
    public static let timedOut = Code("timedOut")
    /// The server or the peer broke the protocol.
    public static let protocolViolation = Code("protocolViolation")
    /// The account's credentials were refused.
    public static let authentication = Code("authentication")
    /// The configuration cannot work as given.
    public static let configuration = Code("configuration")
    /// Media could not be read or written.
    public static let media = Code("media")
    /// A file to send cannot be read.
    public static let input = Code("input")
    /// A received file cannot be written, or there is no room for it.
    public static let output = Code("output")
    /// What arrived is not what was sent: the hash is another.
    public static let corrupt = Code("corrupt")
    /// Another device of this account took the call.
    public static let answeredElsewhere = Code("answeredElsewhere")
    /// Another device of this account declined the call.
    public static let declinedElsewhere = Code("declinedElsewhere")
    /// The peer or the network ended the call before its time.
    public static let failed = Code("failed")
  }

  public let code: Code
  /// One or more sentences: what was wrong, what was tried, what to try.
  public let message: String
  public let cause: (any Error)?

  public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.cause = cause
  }

  public var description: String { message }
}
