import Foundation
import JingleCore
import MediaTime
import XMPPCore
import XMPPNetworking

// Files that others share as links.
extension Client {
  /// Takes a message that shares files.
  ///
  /// Nothing is fetched before the handler says so: whoever fetches shows the web server, whose address a stranger may
  /// have made up, where this machine is.
  ///
  /// - Returns: whether it was one, or came back and was about a file.
  func receiveSharedFiles(_ message: Message) -> Bool {
    if receiveRefusal(message) { return true }
    guard message.type != .error, message.type != .groupchat, let from = message.from else { return false }
    let shared = message.sharedFiles
    guard !shared.isEmpty else { return false }
    // A link that is not the whole message is part of a conversation.
    if message.first("file-sharing", FileSharing.namespace) == nil, let body = message.body,
      body != shared[0].sources.urls.first
    {
      return false
    }
    guard let onSharedFile = handlers.onSharedFile, handlers.allowsFile?(from) ?? true, web.isNew(message) else {
      return true
    }
    let id = WebTransfers.id(of: message)
    for file in shared {
      guard let url = file.sources.httpsURLs.first else {
        logger.info("shared file without an https URL", metadata: ["peer": "\(from)"])
        continue
      }
      guard transfers.count + web.underWay.count < Self.maximumTransfers else {
        logger.info("too many transfers for a shared file", metadata: ["peer": "\(from)"])
        break
      }
      offer(file.file, url, by: from, sid: id ?? StanzaID.random(using: &random), onSharedFile)
    }
    return true
  }

  private func offer(
    _ file: FileMetadata, _ url: HTTPSURL, by peer: JID, sid: String,
    _ onSharedFile: @escaping @Sendable (consuming IncomingFile) async throws -> Void
  ) {
    let hashes = Hashes(in: XMLElement("file", namespace: FileMetadata.namespace, children: file.hashes))
    let summary = FileSummary(
      name: SafeFileName.reduced(file.name ?? url.fileName), size: file.size.map { Int64(clamping: $0) },
      mediaType: file.mediaType, texts: file.descriptions.map { FileText($0.text, language: $0.language) })
    let transfer = WebTransfer(
      sid: sid, peer: peer, summary, link: .init(url: url, file: file, hash: hashes.strongest))
    let (id, logger) = (transfer.id, logger)
    web.underWay[id] = transfer
    let isUnderWay = spawn {
      do {
        try await onSharedFile(
          IncomingFile(peer: peer, sid: sid, file: summary, host: url.host, id: id, client: self))
      } catch {
        logger.info("file handler failed", metadata: ["file.sid": "\(sid)", "error": "\(error)"])
      }
      await self.forgetWebTransfer(id)
    }
    if !isUnderWay { forgetWebTransfer(id) }
  }

  private func forgetWebTransfer(_ id: UUID) { web.underWay[id] = nil }

  /// Fetches a file that was shared.
  func fetch(
    _ transfer: WebTransfer, into directory: String, _ body: @escaping @Sendable (FileTransfer) async -> Void
  ) async throws -> FileReceipt {
    guard !transfer.isAnswered, let link = transfer.link else {
      throw CallError(.failed, "The file was answered already.")
    }
    transfer.isAnswered = true
    guard !configuration.relayOnly else {
      throw CallError(
        .configuration,
        "\(transfer.summary.name) is not fetched from \(link.url.host), which would learn this machine's address.")
    }
    return try await inScope(transfer, body) { client, transfer in
      transfer.show(of: client)
      transfer.tell(.accepted)
      return try await client.carryOut(transfer) { try await $0.download(link, into: directory, $1) }
    }
  }

  private func download(
    _ link: WebTransfer.Link, into directory: String, _ transfer: WebTransfer
  ) async throws -> FileReceipt {
    let (name, size) = (transfer.summary.name, transfer.summary.size)
    if let size, size > configuration.maximumFileSize ?? .max {
      throw CallError(
        .output, "\(name) has \(size) bytes, and \(configuration.maximumFileSize ?? 0) are taken here at most.")
    }
    var identity = PartialFile.Identity(
      peer: transfer.peer.bare.description, name: link.file.name ?? name, size: size,
      date: link.file.date.map { DateTime.format($0) },
      hash: link.hash.map { "\($0.algorithm.rawValue):\($0.hexadecimal)" })
    // Whether all parts are of one and the same file is known only by its hash: what lies at a URL may change.
    let resumes = size != nil && link.hash != nil
    var part = try size.map { _ in
      try PartialFile(of: identity, in: directory, resumes: resumes, on: FileThreads.shared.next())
    }
    var before = await part?.count ?? 0
    while true {
      do {
        let algorithms = link.hash.map { [$0.algorithm] } ?? []
        // Hashes what is there, which may take longer than the web server would wait.
        try await part?.begin(at: before, algorithms)
        if let size, before == size, size > 0 {
          // All had come, and was not looked at.
          transfer.started(at: size, link.url.host)
        } else {
          let limit = UInt64(size ?? configuration.maximumFileSize ?? .max)
          try await HTTPSClient(webConfiguration).download(from: link.url, offset: UInt64(before), limit: limit) {
            download in
            let start = Int64(clamping: download.start)
            if part == nil {
              identity.size = download.length.map { Int64(clamping: $0) }
              part = try PartialFile(of: identity, in: directory, resumes: false, on: FileThreads.shared.next())
              try await part?.begin(at: start, algorithms)
            }
            guard let part else { return }
            if let size, let length = download.length, length != UInt64(size) { throw wrongSize(length, transfer) }
            if start != before { try await part.begin(at: start, algorithms) }
            transfer.started(at: start, download.url.host)
            while let chunk = try await download.next() {
              try await part.append(chunk)
              try transfer.moved(chunk.readableBytes, of: size ?? identity.size, configuration.webRate)
              guard
                size ?? identity.size ?? configuration.maximumFileSize != nil
                  || transfer.count <= configuration.webUnannounced
              else { throw CallError(.output, "\(link.url.host) sends without end, and never said how much.") }
            }
          }
        }
        guard let part else { throw CallError(.failed, "Nothing came of \(name).") }
        return try await conclude(part, link, transfer)
      } catch {
        let failure = self.failure(error, of: transfer, at: link.url.host)
        // The file may have changed since, or the server cannot give parts: so from the beginning, once.
        if before > 0, failure.code == .corrupt || failure.code == .protocolViolation {
          logger.info("shared file begun anew", metadata: ["file.sid": "\(transfer.sid)", "error": "\(failure)"])
          before = 0
          continue
        }
        if failure.code == .corrupt || !resumes { await part?.discard() } else { await part?.keep() }
        throw failure
      }
    }
  }

  private func failure(_ error: any Error, of transfer: WebTransfer, at host: String) -> CallError {
    switch error {
    // The limit is what the sender said, where they did.
    case let error as HTTPSError where error.isTooLarge && transfer.summary.size != nil:
      CallError(
        .corrupt,
        "More lies at \(host) than the \(transfer.summary.size ?? 0) bytes that \(transfer.summary.name) has.",
        cause: error)
    case let error as HTTPSError: CallError(error)
    default: error as? CallError ?? CallError(.failed, "\(error)", cause: error)
    }
  }

  /// Compares the file with what the sender says of it, and puts it into its place.
  private func conclude(
    _ part: PartialFile, _ link: WebTransfer.Link, _ transfer: WebTransfer
  ) async throws -> FileReceipt {
    let name = transfer.summary.name
    let count = await part.count
    if let size = transfer.summary.size, count != size { throw wrongSize(UInt64(count), transfer) }
    if let hash = link.hash {
      guard try await part.digest(hash.algorithm, nil) == hash else {
        throw CallError(
          .corrupt, "What lies at \(link.url.host) has another hash than \(name) was shared with, and is not kept.")
      }
    }
    let path = try await part.publish(as: (0...999).lazy.map { SafeFileName.numbered(name, $0) })
    return FileReceipt(
      name: URL(fileURLWithPath: path).lastPathComponent, path: path, size: count, bytes: transfer.count,
      seconds: transfer.startedAt.map { (SystemClock.now - $0).inSeconds } ?? 0, way: .upload, route: link.url.host,
      sha256: await part.sha256 ?? "", isConfirmed: link.hash?.algorithm.isTrusted == true)
  }

  private func wrongSize(_ count: UInt64, _ transfer: WebTransfer) -> CallError {
    CallError(
      .corrupt,
      "What lies at \(transfer.link?.url.host ?? "the server") has \(count) bytes instead of the "
        + "\(transfer.summary.size ?? 0) that \(transfer.summary.name) was shared with, and is not kept.")
  }
}

extension HTTPSError {
  fileprivate var isTooLarge: Bool { if case .tooLarge = kind { true } else { false } }
}
