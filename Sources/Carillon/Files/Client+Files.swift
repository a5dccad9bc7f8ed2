import Foundation
import JingleCore
import MediaCodecs
import MediaTime
public import XMPPCore

// Sending and taking files: what embedders call.
extension Client {
  /// How many files may be under way, offers included.
  static let maximumTransfers = 64

  /// Sends a file, and waits until the peer has it.
  ///
  /// - Parameters:
  ///   - peer: an account, of which the device is chosen that is most likely to be used, or one device.
  ///   - body: told what happens, beside the transfer.
  /// - Throws: `CallError`: `input` when the file cannot be read, `noAnswer`, `declined`, `connectivity`, `corrupt`, …
  @discardableResult
  public func send(
    _ file: OutgoingFile, to peer: JID, _ body: @escaping @Sendable (FileTransfer) async -> Void = { _ in }
  ) async throws -> FileReceipt {
    try await waitUntilOnline()
    if file.ways.contains(.upload) { return try await deliver(file, to: peer, body) }
    return try await sendTogether([file], to: peer, body)[0].get()
  }

  /// Sends several files, and waits until each has arrived or failed: one that fails, or that the peer declines, leaves
  /// the others as they are.
  ///
  /// - Parameters:
  ///   - peer: as for one file.
  ///   - together: offers the files as the contents of one session, up to 16 at a time, so that the peer can answer them
  ///     as one and they go side by side. Else each has a session for itself, one after the other: clients such as
  ///     Conversations, Dino and Gajim handle one file a session. Files that are offered together are not uploaded.
  ///   - body: told what happens, beside each transfer.
  /// - Returns: what became of each file, in their order.
  /// - Throws: `CallError` when nothing could be offered: nobody is there, or takes files.
  public func send(
    _ files: [OutgoingFile], to peer: JID, together: Bool = false,
    _ body: @escaping @Sendable (FileTransfer) async -> Void = { _ in }
  ) async throws -> [Result<FileReceipt, CallError>] {
    var results: [Result<FileReceipt, CallError>] = []
    guard together else {
      for file in files {
        do { results.append(.success(try await send(file, to: peer, body))) } catch let error as CallError {
          results.append(.failure(error))
        }
        try Task.checkCancellation()
      }
      return results
    }
    let count = JingleSession.maximumOfferedContents
    for start in stride(from: 0, to: files.count, by: count) {
      try Task.checkCancellation()
      results += try await sendTogether(Array(files[start..<min(files.count, start + count)]), to: peer, body)
    }
    return results
  }

  /// Sends files in one session.
  private func sendTogether(
    _ files: [OutgoingFile], to peer: JID, _ body: @escaping @Sendable (FileTransfer) async -> Void
  ) async throws -> [Result<FileReceipt, CallError>] {
    try await waitUntilOnline()
    let opened = files.map { file in Result { () throws(CallError) in (file, try file.open()) } }
    let readable = opened.compactMap { try? $0.get() }
    guard !readable.isEmpty else { return opened.filled(with: []) }
    return opened.filled(with: try await offer(readable, to: peer, feeds: true, body))
  }

  /// Offers files in a session of their own: those that can be.
  ///
  /// - Parameter feeds: whether streams are to be read meanwhile.
  func offer(
    _ files: [(OutgoingFile, any FileSource)], to peer: JID, feeds: Bool = false,
    _ body: @escaping @Sendable (FileTransfer) async -> Void
  ) async throws -> [Result<FileReceipt, CallError>] {
    let device = try await fileDevice(of: peer)
    let attempts = files.map { file, source in
      Result { () throws(CallError) in (file, try Offer(file, of: source, to: device)) }
    }
    let offers = attempts.compactMap { try? $0.get() }
    guard !offers.isEmpty else { return attempts.filled(with: []) }
    let session = try openSession(with: device, files: offers.count)
    let transfers = offers.map { _, offer in offer.transfer(in: session, fileLimits) }
    begin(transfers)
    let feeders = !feeds ? [] : offers.map { file, offer in { @Sendable in await file.feed(offer.source) } }
    return attempts.filled(with: await inScope(transfers, feeders: feeders, body))
  }

  /// Puts a file into a session that runs; nil when the session takes no more.
  ///
  /// - Specification: XEP-0234 §6.3
  func add(
    _ file: OutgoingFile, _ source: any FileSource, toSession sid: String, of peer: JID,
    _ body: @escaping @Sendable (FileTransfer) async -> Void
  ) async throws -> FileReceipt? {
    guard
      let session = fileSessions.values.first(where: { $0.sid == sid && $0.peer == peer }), let info = session.info,
      session.takesMore(from: link?.address), hasRoom(forFiles: 1)
    else { return nil }
    let transfer = try Offer(file, of: source, to: (peer, info)).transfer(in: session, fileLimits)
    begin([transfer])
    let result = await inScope([transfer], body)[0]
    if case .failure(let error) = result, error.cause as? JingleCore.FileTransfer.Failure == .notAdded { return nil }
    return try result.get()
  }

  func openSession(
    with device: (jid: JID, info: DiscoInfo), files count: Int
  ) throws(CallError) -> ActiveFileSession {
    guard let own = link?.address else {
      throw CallError(.serverUnreachable, "The connection to the server went down before anything was offered.")
    }
    guard hasRoom(forFiles: count) else {
      throw CallError(
        .failed, "There are too many transfers already: \(Self.maximumTransfers) files may be under way at a time.")
    }
    let session = ActiveFileSession(
      JingleSession(
        initiating: StanzaID.random(using: &random), own: own, peer: device.jid, understoodInfo: [FileInfo.namespace],
        deciding: [.contents, .transports]), with: device.info)
    guard router.add(session.handle, sid: session.sid, peer: device.jid) else {
      throw CallError(.failed, "There are too many sessions already.")
    }
    fileSessions[session.handle] = session
    return session
  }

  /// Offers what is new in a session.
  func begin(_ new: [ActiveTransfer]) {
    for transfer in new {
      let info = transfer.session.info
      transfer.dataChannelForm =
        DataChannelTransport.Form.allCases.first { info?.supports($0.feature) == true } ?? .wrapped
      transfer.isAnswered = true
      transfers[transfer.id] = transfer
      let id = transfer.id
      spawn { await self.offer(id) }
    }
  }

  /// What is to be offered of a file.
  private struct Offer {
    let source: any FileSource
    let file: FileDescription
    let thumbnail: BitsOfBinary?
    let ways: [FileTransferWay]

    init(_ file: OutgoingFile, of source: any FileSource, to device: (jid: JID, info: DiscoInfo)) throws(CallError) {
      self.source = source
      ways = try Client.ways(to: device, of: file.ways)
      thumbnail = try file.thumbnail?.data()
      var description = file.description(of: source)
      description.thumbnails = file.thumbnail?.announcement(of: thumbnail) ?? []
      self.file = description
    }

    func transfer(in session: ActiveFileSession, _ limits: JingleCore.FileTransfer.Limits) -> ActiveTransfer {
      let transfer = ActiveTransfer(proposing: file, .sending, in: session, limits: limits, ways: ways)
      transfer.source = source
      transfer.thumbnail = thumbnail
      return transfer
    }
  }

  /// Those of the wanted ways that a device knows.
  static func ways(
    to device: (jid: JID, info: DiscoInfo), of wanted: [FileTransferWay]
  ) throws(CallError) -> [FileTransferWay] {
    let ways = wanted.filter { $0.isSupported(by: device.info) }
    guard ways.isEmpty else { return ways }
    let names = wanted.map(\.rawValue).joined(separator: ", ")
    throw CallError(.nothingInCommon, "\(device.jid) takes files, but by none of \(names).")
  }

  func receiveFile(
    _ id: UUID, into directory: String, _ body: @escaping @Sendable (FileTransfer) async -> Void
  ) async throws -> FileReceipt {
    if let shared = web.underWay[id] { return try await fetch(shared, into: directory, body) }
    guard let transfer = transfer(id), !transfer.isAnswered else {
      throw CallError(.failed, "The offer was withdrawn.")
    }
    transfer.isAnswered = true
    transfer.withdrawn.finish()
    spawn { await self.accept(id, into: directory) }
    return try await inScope([transfer], body)[0].get()
  }

  /// Ends a transfer, or declines one that was not answered. Does nothing when it is over.
  func cancelTransfer(_ id: UUID) {
    if cancelWebTransfer(id) { return }
    guard let transfer = transfer(id) else { return }
    let isRefused = !transfer.isAnswered && transfer.direction == .sending
    transfer.isAnswered = true
    carryOut(transfer.machine.end(isRefused ? .notAvailable : .cancelled), of: transfer)
    rearm()
  }

  func transfer(_ id: UUID) -> ActiveTransfer? { transfers[id] }

  /// Tells of transfers until they are over; cancels them with the task.
  ///
  /// - Parameter feeders: what is to run as long as the transfers do.
  func inScope(
    _ transfers: [ActiveTransfer], feeders: [@Sendable () async -> Void] = [],
    _ body: @escaping @Sendable (FileTransfer) async -> Void
  ) async -> [Result<FileReceipt, CallError>] {
    let (handles, ids) = (transfers.map { FileTransfer($0, client: self) }, transfers.map(\.id))
    return await withTaskCancellationHandler {
      await withDiscardingTaskGroup { bodies in
        for handle in handles { bodies.addTask { await body(handle) } }
        return await withDiscardingTaskGroup { feeding in
          for feed in feeders { feeding.addTask { await feed() } }
          var results: [Result<FileReceipt, CallError>] = []
          for transfer in transfers { results.append(await end(of: transfer)) }
          feeding.cancelAll()
          return results
        }
      }
    } onCancel: {
      Task { for id in ids { await self.cancelTransfer(id) } }
    }
  }

  /// Waits for a transfer's end. What has come of it can be gone on with from then on.
  func end(of transfer: ActiveTransfer) async -> Result<FileReceipt, CallError> {
    let result =
      if let result = transfer.result { result } else {
        await withCheckedContinuation { transfer.waiters.append($0) }
      }
    let error: CallError? = if case .failure(let error) = result { error } else { nil }
    await transfer.part?.end(after: error)
    return result
  }

  /// The device of a peer's that takes files.
  func fileDevice(of peer: JID) async throws(CallError) -> (jid: JID, info: DiscoInfo) {
    var devices = [peer]
    if peer.isBare {
      // Who has just come online does not know yet who else is.
      for _ in 0..<20 {
        devices = presences.devices(of: peer).map(\.jid).filter { $0 != link?.address }
        if !devices.isEmpty { break }
        try? await Task.sleep(for: .milliseconds(100))
      }
      guard !devices.isEmpty else {
        throw CallError(
          .noAnswer,
          "No device of \(peer) is online, as far as this account may see. Send to one by its full address, or become "
            + "contacts.")
      }
    }
    // All at once: those that sleep do not answer in time.
    let answers = await withTaskGroup(of: (JID, DiscoInfo?).self) { group in
      for device in devices.prefix(8) { group.addTask { (device, await self.features(of: device)) } }
      var answers: [JID: DiscoInfo] = [:]
      for await (device, info) in group { answers[device] = info }
      return answers
    }
    for device in devices {
      if let info = answers[device], info.supports(FileDescription.namespace) { return (device, info) }
    }
    let names = devices.map { $0.resourcepart ?? "\($0)" }.joined(separator: ", ")
    throw !answers.isEmpty
      ? CallError(.noAnswer, "\(peer) is online (\(names)), but no device there takes files (XEP-0234).")
      : CallError(.noAnswer, "\(peer) does not answer (\(names)).")
  }
}

extension Array {
  /// What became of those that got so far, each in its place among those that did not.
  fileprivate func filled<Attempt, Value>(
    with results: [Result<Value, CallError>]
  ) -> [Result<Value, CallError>] where Element == Result<Attempt, CallError> {
    var rest = results[...]
    return map { $0.flatMap { _ in rest.removeFirst() } }
  }
}

extension OutgoingFile {
  /// What the peer is told of it.
  func description(of source: any FileSource) -> FileDescription {
    FileDescription(
      name: offeredName, size: source.length, date: source.date, mediaType: mediaType,
      descriptions: texts.map { .init($0.text, language: $0.language) }, hashes: Hashes(announced: [.sha256]),
      range: source.isSeekable ? .init() : nil)
  }
}

extension FileTransferWay {
  /// The features of who can do it: one of these.
  var features: [String] {
    switch self {
    case .dataChannel: DataChannelTransport.Form.allCases.map(\.feature)
    case .socks5: [SOCKS5Transport.namespace]
    case .inBand: [InBandTransport.namespace]
    case .upload: []
    }
  }

  fileprivate func isSupported(by info: DiscoInfo) -> Bool { features.contains(where: info.supports) }

  init?(_ transport: Jingle.Transport) {
    switch transport {
    case .socks5: self = .socks5
    case .inBand: self = .inBand
    case .iceUDP, .dataChannel, .unknown:
      guard transport.dataChannel != nil else { return nil }
      self = .dataChannel
    }
  }
}

extension DataChannelTransport.Form {
  /// Of who reads it.
  fileprivate var feature: String {
    switch self {
    case .wrapped: DataChannelTransport.namespace
    case .iceUDP: DataChannelTransport.mapNamespace
    case .ice: DataChannelTransport.channelNamespace
    }
  }
}

/// The threads on which files are read and written.
enum FileThreads {
  static let shared = CodecThreads(count: 4, name: "file")
  /// After so many bytes it is the turn of others on the same thread.
  static let turn: Int64 = 4 << 20
  /// Where what comes in is hashed, beside the writing.
  static let hashing = CodecThreads(count: 4, name: "hash")
}
