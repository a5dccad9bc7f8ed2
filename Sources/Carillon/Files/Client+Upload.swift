import Foundation
import JingleCore
import MediaTime
import XMPPCore
import XMPPNetworking

// Files that go by way of the account's web server: the last resort, and the way to who is not there.
extension Client {
  /// Sends a file by the ways of Jingle that it may go, and where none of them leads to the peer by HTTP upload, if it
  /// may go that way.
  ///
  /// Only for want of a way: what was declined or cancelled, or failed for its encryption, is not uploaded.
  ///
  /// - Parameter sid: the session to put it into, if that takes more files; else it gets one of its own.
  func deliver(
    _ file: OutgoingFile, to peer: JID, joining sid: String? = nil,
    _ body: @escaping @Sendable (FileTransfer) async -> Void
  ) async throws -> FileReceipt {
    let source = try file.open()
    guard transfers.count + web.underWay.count < Self.maximumTransfers else {
      throw CallError(.failed, "There are too many transfers already.")
    }
    let summary = FileSummary(
      name: SafeFileName.reduced(file.offeredName), size: source.length,
      mediaType: file.mediaType, texts: file.texts)
    let transfer = WebTransfer(sid: StanzaID.random(using: &random), peer: peer, summary)
    return try await inScope(transfer, body) { try await $0.deliver(file, source, to: peer, joining: sid, $1) }
  }

  /// Runs `work` as a transfer that can be followed and cancelled.
  func inScope(
    _ transfer: WebTransfer, _ body: @escaping @Sendable (FileTransfer) async -> Void,
    _ work: @Sendable (isolated Client, WebTransfer) async throws -> FileReceipt
  ) async throws -> FileReceipt {
    let (id, handles) = (transfer.id, transfer.handles)
    web.underWay[id] = transfer
    return try await withTaskCancellationHandler {
      async let told: Void = {
        for await handle in handles { await body(handle) }
      }()
      let result: Result<FileReceipt, any Error>
      do { result = .success(try await work(self, transfer)) } catch { result = .failure(error) }
      web.underWay[id] = nil
      transfer.end(result.mapError { $0 as? CallError ?? CallError(.failed, "\($0)", cause: $0) })
      await told
      return try result.get()
    } onCancel: {
      Task { await self.cancelTransfer(id) }
    }
  }

  /// - Returns: whether there was such a transfer.
  func cancelWebTransfer(_ id: UUID) -> Bool {
    guard let transfer = web.underWay[id] else { return false }
    transfer.cancel()
    if let session = transfer.session { spawn { await session.cancel() } }
    return true
  }

  private func deliver(
    _ file: OutgoingFile, _ source: any FileSource, to peer: JID, joining sid: String?, _ transfer: WebTransfer
  ) async throws -> FileReceipt {
    // Cancelled at the end, whether or not all was read.
    async let _: Void = file.feed(source)
    var direct = file
    direct.ways.removeAll { $0 == .upload }
    guard let first = direct.ways.first else { return try await upload(file, source, transfer) }
    transfer.way = first
    do {
      let id = transfer.id
      if let sid {
        let receipt = try await add(direct, source, toSession: sid, of: peer) {
          await self.relay($0, id, onceAccepted: true)
        }
        if let receipt { return receipt }
        if transfer.isCancelled { throw transfer.cancelled }
        try await waitUntilOnline()
      }
      return try await offer([(direct, source)], to: peer) { await self.relay($0, id) }[0].get()
    } catch let error as CallError
    where file.ways.contains(.upload) && error.isForWantOfAWay && !transfer.isCancelled {
      guard await !uploadServices().isEmpty else {
        throw CallError(
          error.code, "\(error.message) Nor has \(configuration.account.domainpart) HTTP upload (XEP-0363).",
          cause: error.cause)
      }
      guard source.length != nil else {
        throw CallError(error.code, "\(error.message) \(CallError.sizeNeeded.message)", cause: error.cause)
      }
      transfer.tell(.fellBack(from: transfer.way, to: .upload, why: error.message))
      return try await upload(file, source, transfer)
    }
  }

  /// Hands on what happens in the session that goes before, all but its end.
  private func relay(_ session: FileTransfer, _ id: UUID, onceAccepted: Bool = false) async {
    guard let transfer = web.underWay[id] else { return }
    transfer.session = session
    if !onceAccepted { transfer.show(session, of: self) }
    if transfer.isCancelled { await session.cancel() }
    for await event in session.events {
      switch event {
      case .ended: return
      case .fellBack(_, let way, _), .started(let way, _, _): transfer.way = way
      case .accepted: transfer.show(session, of: self)
      case .progress: break
      }
      transfer.tell(event)
    }
  }

  // MARK: The upload

  private func upload(
    _ file: OutgoingFile, _ source: any FileSource, _ transfer: WebTransfer
  ) async throws -> FileReceipt {
    guard let size = source.length else { throw CallError.sizeNeeded }
    transfer.show(of: self)
    return try await carryOut(transfer) {
      // It goes into a header.
      try await $0.upload(MediaType.checked(file.mediaType) ?? MediaType.octetStream, source, size, $1)
    }
  }

  /// Does the work as a child of `run`, and leaves it as soon as the transfer is cancelled.
  func carryOut(
    _ transfer: WebTransfer,
    _ work: @escaping @Sendable (isolated Client, WebTransfer) async throws -> FileReceipt
  ) async throws -> FileReceipt {
    let (id, running) = (transfer.id, transfer.running)
    if transfer.isCancelled { throw transfer.cancelled }
    let result = await withCheckedContinuation { continuation in
      transfer.waiter = continuation
      let isUnderWay = spawn {
        await withTaskGroup(of: Void.self) { group in
          group.addTask { await self.perform(work, id) }
          group.addTask { for await _ in running {} }
          await group.next()
          group.cancelAll()
        }
      }
      if !isUnderWay { transfer.finish(.failure(CallError(.serverUnreachable, "The client has stopped."))) }
    }
    return try result.get()
  }

  private func perform(
    _ work: @escaping @Sendable (isolated Client, WebTransfer) async throws -> FileReceipt, _ id: UUID
  ) async {
    guard let transfer = web.underWay[id] else { return }
    do {
      transfer.finish(.success(try await work(self, transfer)))
    } catch let error as HTTPSError {
      transfer.finish(.failure(CallError(error)))
    } catch {
      transfer.finish(.failure(error as? CallError ?? CallError(.failed, "\(error)", cause: error)))
    }
  }

  private func upload(
    _ mediaType: String, _ source: any FileSource, _ size: Int64, _ transfer: WebTransfer
  ) async throws -> FileReceipt {
    let name = transfer.summary.name
    let service = try await uploadService(for: UInt64(size), name)
    let client = try HTTPSClient(webConfiguration)
    let request = HTTPUpload.Request(fileName: name, size: UInt64(size), contentType: mediaType)
    // Who sends to the web server learns only with the next bytes that the server waits no longer.
    let (pipe, patience) = ((source as? StreamSource)?.pipe, fileLimits.stall)
    async let _: Void? = pipe?.end(afterIdle: patience)
    var broken: HTTPSError?
    while true {
      let slot = try await slot(for: request, from: service)
      // Of a stream, the beginning may be gone by now.
      do { try await source.begin(at: 0) } catch { throw broken ?? error }
      do {
        try await client.upload(
          to: slot.put, headers: slot.headers, contentType: mediaType, length: UInt64(size)
        ) { upload in
          transfer.started(at: 0, slot.put.host)
          while let chunk = try await source.next(1 << 17) {
            try await upload.send(chunk)
            try transfer.moved(chunk.readableBytes, of: size, configuration.webRate)
          }
        }
        let hashes = try await source.finish(isWhole: true)
        try await share(slot.get, hashes, mediaType, modified: source.date, transfer)
        return FileReceipt(
          name: name, path: nil, size: size, bytes: transfer.count,
          seconds: transfer.startedAt.map { (SystemClock.now - $0).inSeconds } ?? 0, way: .upload,
          route: slot.get.host, sha256: hashes.first { $0.algorithm == .sha256 }?.hexadecimal ?? "",
          isConfirmed: false)
      } catch let error as HTTPSError where error.kind == .connectionLost && broken == nil && !transfer.isCancelled {
        // Half an upload cannot be gone on with. A slot may be good for one request.
        broken = error
        logger.info("upload broke", metadata: ["file.sid": "\(transfer.sid)", "error": "\(error)"])
      } catch let error as HTTPSError where error.kind == .status(413) {
        throw CallError(.output, "\(name) has \(size) bytes. \(error.message)", cause: error)
      } catch let error as HTTPSError where error.kind == .wrongLength {
        throw CallError(.input, "\(name) was changed while it was being sent. Send it again.", cause: error)
      }
    }
  }

  /// Tells the peer where the file lies.
  private func share(
    _ url: HTTPSURL, _ hashes: [HashValue], _ mediaType: String, modified: Duration?, _ transfer: WebTransfer
  ) async throws {
    let summary = transfer.summary
    let shared = FileSharing(
      file: FileMetadata(
        name: summary.name, mediaType: mediaType, size: summary.size.map { UInt64($0) }, date: modified,
        descriptions: summary.texts.map { .init($0.text, language: $0.language) }, hashes: Hashes(hashes).elements),
      sources: FileSources(urls: [url.description]))
    let message = Message(
      type: .chat, id: transfer.sid, to: transfer.peer, payloads: shared.payloads + [MessageHint.store.element])
    for _ in 0..<3 {
      try await waitUntilOnline()
      send(message.element)
      // Goes the same way: what comes back of the message does so before its answer, whatever that is.
      let outcome = await ask(.get(Ping.request), of: transfer.peer.domain, timeout: .seconds(5))
      if let refusal = transfer.refusal {
        throw CallError(
          .noAnswer,
          "\(summary.name) was uploaded, but \(transfer.peer) could not be told of it: \(refusal).", cause: refusal)
      }
      // Whether the server had the message is not known then; a repetition has the same id.
      guard outcome == .disconnected else { return }
    }
    throw CallError(
      .serverUnreachable, "\(summary.name) was uploaded, but the connection went down before the peer was told of it.")
  }

  /// Takes a message that came back.
  ///
  /// - Returns: whether it was of a file's.
  func receiveRefusal(_ message: Message) -> Bool {
    guard message.type == .error, let id = message.id, let error = message.error,
      let transfer = web.underWay.values.first(where: { $0.sid == id && $0.link == nil }),
      message.from?.bare == transfer.peer.bare || message.from == transfer.peer.domain || message.from == nil
    else { return false }
    transfer.refusal = error
    return true
  }

  var webConfiguration: HTTPSClient.Configuration {
    var settings = HTTPSClient.Configuration(logger: logger)
    settings.certificateAuthorities = configuration.certificateAuthorities
    settings.idleTimeout = configuration.webIdleTimeout
    settings.addresses = configuration.webAddresses
    return settings
  }

  // MARK: The service

  private func uploadService(for size: UInt64, _ name: String) async throws(CallError) -> JID {
    let services = await uploadServices()
    guard let last = services.last else {
      throw CallError(
        .nothingInCommon, "\(configuration.account.domainpart) has no HTTP upload (XEP-0363). Choose another way.")
    }
    if let service = services.first(where: { $0.takes(size) }) { return service.jid }
    let largest = services.max { ($0.maximumFileSize ?? 0) < ($1.maximumFileSize ?? 0) } ?? last
    throw .tooLarge(name, size, limit: largest.maximumFileSize, of: largest.jid)
  }

  /// Those of this account's server.
  private func uploadServices() async -> [HTTPUpload.Service] {
    await serverEntities().compactMap { HTTPUpload.Service($0.jid, info: $0.info) }
  }

  private func slot(for request: HTTPUpload.Request, from service: JID) async throws(CallError) -> HTTPUpload.Slot {
    switch await ask(.get(request.element), of: service, timeout: .seconds(20)) {
    case .result(let payload?):
      do {
        return try HTTPUpload.Slot(payload)
      } catch {
        throw CallError(.protocolViolation, "\(service) gives no usable place for a file: \(error).", cause: error)
      }
    case .result(nil): throw CallError(.protocolViolation, "\(service) gives no place for a file.")
    case .error(let error): throw .refused(request, error, by: service)
    case .timedOut: throw CallError(.timedOut, "\(service) did not answer in time. Try again later.")
    case .disconnected:
      throw CallError(.serverUnreachable, "The connection to the server went down before the upload began.")
    }
  }
}

extension CallError {
  /// Whether it means that no way led to the peer, as opposed to one that led there and did not work out.
  fileprivate var isForWantOfAWay: Bool {
    switch cause {
    case let failure as JingleCore.FileTransfer.Failure: failure == .unconnected
    case let failure as JingleSession.Failure: if case .unavailable = failure { true } else { false }
    // Before there was a session: nobody is there, or nobody who takes files, or not so.
    case nil: code == .noAnswer || code == .nothingInCommon
    default: false
    }
  }

  fileprivate static var sizeNeeded: CallError {
    CallError(.input, "A stream can be uploaded only if its size is known beforehand: say it, or make it a file first.")
  }

  fileprivate static func tooLarge(_ name: String, _ size: UInt64, limit: UInt64?, of service: JID) -> CallError {
    let most = limit.map { "takes \($0) at most" } ?? "takes fewer"
    return CallError(
      .output, "\(name) has \(size) bytes, and \(service) \(most). Choose another way, or divide the file.")
  }

  fileprivate static func refused(_ request: HTTPUpload.Request, _ error: StanzaError, by service: JID) -> CallError {
    switch HTTPUpload.Refusal(error) {
    case .fileTooLarge(let maximum): tooLarge(request.fileName, request.size, limit: maximum, of: service)
    case .quotaReached(let retry):
      CallError(
        .failed,
        "\(service) takes no more for now (\(error)). Try again \(retry.map { "after \(DateTime.format($0))" } ?? "later").",
        cause: error)
    case .notAllowed: CallError(.failed, "\(service) takes no files from this account: \(error).", cause: error)
    case .other: CallError(.failed, "\(service) gives no place for \(request.fileName): \(error).", cause: error)
    }
  }

  /// A web server's failure in the terms of the façade.
  init(_ error: HTTPSError) {
    let code: Code =
      switch error.kind {
      case .configuration: .configuration
      case .unreachable, .tlsUnavailable, .tlsUntrusted: .serverUnreachable
      case .timedOut: .timedOut
      case .connectionLost: .connectivity
      case .tooLarge, .status(413): .output
      case .rangeNotSatisfiable: .corrupt
      case .redirection, .protocolViolation: .protocolViolation
      case .wrongLength: .input
      case .status, .cancelled: .failed
      }
    self.init(code, error.message, cause: error)
  }
}
