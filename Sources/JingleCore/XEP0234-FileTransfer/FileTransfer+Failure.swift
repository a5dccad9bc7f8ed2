extension FileTransfer {
  /// What this side runs into, or wants.
  package enum Cause: Hashable, Sendable, CaseIterable {
    case cancelled
    /// There is no such file, or not for this peer.
    case notAvailable
    /// It is larger than is wanted, or than there is room for.
    case tooLarge
    /// The file cannot be read, is not what it was, or cannot be written.
    case fileFailed
  }

  package enum Failure: Error, Hashable, Sendable {
    case local(Cause)
    /// The peer did not take it, ended it, or took it out of the session.
    case declined(Jingle.Reason?)
    /// The session takes no more files, or was over before it could: the file itself was not refused.
    case notAdded
    case endedByPeer(Jingle.Reason?)
    /// The peer has no such file.
    case notAvailable
    /// The peer has no more room for it, or this side is sent more than it takes.
    case tooLarge
    /// The peer wants a part that the file has not.
    case outsideFile
    /// The peer did not answer.
    case unanswered
    /// No transport could be set up.
    case unconnected
    /// The transport broke, or the sender closed it before all had come: the rest can be asked for by a range.
    case interrupted
    case tooFewBytes
    case tooManyBytes
    /// Nothing, or next to nothing, was moved for a while.
    case stalled
    case tooSlow
    /// The receiver never said that it has the file.
    case unconfirmed
    /// The peer is not there any more.
    case gone
    /// The file's size was not told, and its checksum never came: nobody knows whether it is whole.
    case checksumMissing
    /// The file is another than its hash says.
    case corrupt
  }
}

extension FileTransfer.Failure {
  init(declinedFor reason: Jingle.Reason?) {
    self =
      switch reason?.fileTransfer {
      case .fileNotAvailable: .notAvailable
      case .fileTooLarge, nil: .declined(reason)
      }
  }

  /// What the peer is told; nil when it said so itself.
  ///
  /// - Specification: XEP-0234 §6.5, §9
  var reason: Jingle.Reason? {
    switch self {
    case .local(.cancelled): Jingle.Reason(.cancel)
    case .local(.notAvailable): .fileNotAvailable
    case .local(.tooLarge), .tooLarge, .tooManyBytes: .fileTooLarge
    case .local(.fileFailed): Jingle.Reason(.failedApplication, text: "the file cannot be read or written")
    case .outsideFile: Jingle.Reason(.incompatibleParameters, text: "the file has no such range")
    case .unanswered, .unconfirmed, .stalled, .tooSlow: Jingle.Reason(.timeout)
    case .gone: Jingle.Reason(.connectivityError, text: "nobody is there")
    case .unconnected, .interrupted: Jingle.Reason(.failedTransport)
    case .tooFewBytes: Jingle.Reason(.failedTransport, text: "the bytes ended too soon")
    case .checksumMissing: Jingle.Reason(.failedApplication, text: "the checksum never came")
    case .corrupt: Jingle.Reason(.mediaError, text: "the file's hash is another")
    case .declined, .notAdded, .endedByPeer, .notAvailable: nil
    }
  }
}

extension Jingle.Reason {
  /// Whether it is a decision about the file or its sender. Else it may be one about the session, and the same file can
  /// be offered in another.
  var isAboutFile: Bool {
    switch condition {
    case .busy, .cancel, .decline, .gone, .mediaError, .securityError: true
    default: fileTransfer != nil
    }
  }
}
