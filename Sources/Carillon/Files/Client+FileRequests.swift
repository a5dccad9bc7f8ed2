import Foundation
import JingleCore
import MediaTime
public import XMPPCore

// Files that are asked for: by this side, and by others.
extension Client {
  /// Asks a peer for a file, and waits until it is here.
  ///
  /// What came of it before, from this account into this folder, is gone on with. Should the peer have changed the file
  /// since, it is asked for anew, from its beginning.
  ///
  /// - Parameters:
  ///   - wanted: what it is known by; its name, a hash, or both. With a hash of a trusted function, only the file that
  ///     has it is kept.
  ///   - peer: an account, of which the device is chosen that is most likely to be used, or one device.
  ///   - directory: where the file is put: see `IncomingFile.receive`.
  ///   - ways: how it may come, best first.
  ///   - body: told what happens, of each time that the file is asked for.
  /// - Throws: `CallError`: `declined` when the peer has no such file or does not give it, `noAnswer`, `output`,
  ///   `corrupt`, …
  /// - Specification: XEP-0234 §6.2
  @discardableResult
  public func request(
    _ wanted: FileSelector, from peer: JID, into directory: String,
    ways: [FileTransferWay] = FileTransferWay.allCases,
    _ body: @escaping @Sendable (FileTransfer) async -> Void = { _ in }
  ) async throws -> FileReceipt {
    var description = try wanted.description()
    try await waitUntilOnline()
    let device = try await fileDevice(of: peer)
    let ways = try Self.ways(to: device, of: ways)
    let kept = PartialFile.kept(of: description, from: peer.bare, in: directory)
    description.range = .init(offset: kept?.count)
    let transfer = try request(description, from: device, by: ways, into: directory)
    let result = await inScope([transfer], body)[0]
    guard let kept, case .failure(let error) = result, error.isOfOutdatedPart else { return try result.get() }
    try await PartialFile(of: kept.identity, in: directory, on: FileThreads.shared.next()).discard()
    description.range = .init()
    return try await inScope([try request(description, from: device, by: ways, into: directory)], body)[0].get()
  }

  private func request(
    _ file: FileDescription, from device: (jid: JID, info: DiscoInfo), by ways: [FileTransferWay],
    into directory: String
  ) throws(CallError) -> ActiveTransfer {
    let session = try openSession(with: device, files: 1)
    let transfer = ActiveTransfer(proposing: file, .receiving, in: session, limits: receivingLimits, ways: ways)
    transfer.directory = directory
    begin([transfer])
    return transfer
  }

  /// The peer gives the file, and tells more of it: now there can be a place for it.
  func requestAccepted(_ id: UUID, _ answer: FileDescription?) async {
    guard let transfer = transfer(id), let directory = transfer.directory else { return }
    if let answer { transfer.file.learn(answer) }
    do throws(CallError) {
      let part = try transfer.openPart(in: directory)
      transfer.part = part
      let count = await part.count
      guard transfer.result == nil else { return await part.keep() }
      if let offset = transfer.file.range?.offset, offset > count {
        let what = "\(transfer.summary.name) is another file than the one of which a part is here."
        fail(transfer, CallError(.failed, what, cause: OutdatedPart()), telling: Jingle.Reason(.cancel))
      } else {
        carryOut(transfer.machine.accepted(answer, at: SystemClock.now), of: transfer)
      }
    } catch {
      transfer.fileError = error
      carryOut(transfer.machine.end(.fileFailed), of: transfer)
    }
    rearm()
  }

  // MARK: By others

  func requestToHandler(_ transfer: ActiveTransfer) {
    guard let onFileRequest = handlers.onFileRequest else { return cancelTransfer(transfer.id) }
    let (id, sid, peer, wanted) = (transfer.id, transfer.sid, transfer.peer, FileSelector(transfer.file))
    handle(transfer) {
      try await onFileRequest(FileRequest(peer: peer, sid: sid, wanted: wanted, id: id, client: self))
    }
  }

  func giveFile(
    _ id: UUID, _ file: OutgoingFile, _ body: @escaping @Sendable (FileTransfer) async -> Void
  ) async throws -> FileReceipt {
    guard let transfer = transfer(id), !transfer.isAnswered else {
      throw CallError(.failed, "The request was withdrawn.")
    }
    transfer.isAnswered = true
    transfer.withdrawn.finish()
    let source: any FileSource
    do throws(CallError) {
      source = try file.open()
      let wanted = transfer.file.range
      transfer.source = source
      transfer.file = file.description(of: source)
      // The hash is that of the whole file: where its end is not sent, it is not known. The peer wrote the numbers, and
      // they may be any.
      if let length = wanted?.length, let end = source.length, length < end - (wanted?.offset ?? 0) {
        transfer.file.hashes = Hashes()
      }
    } catch {
      carryOut(transfer.machine.end(.notAvailable), of: transfer)
      throw error
    }
    transfer.ways = file.ways
    if file.ways.contains(transfer.way) {
      transfer.decision = .give(transfer.file)
      proceed(transfer.session)
    } else {
      let what = "\(transfer.peer) wants the file by \(transfer.way.rawValue), and it is not to go that way."
      fail(transfer, CallError(.nothingInCommon, what), telling: Jingle.Reason(.unsupportedTransports))
    }
    return try await inScope([transfer], feeders: [{ await file.feed(source) }], body)[0].get()
  }
}

/// The part that is here is not one of the file that the peer has now.
private struct OutdatedPart: Error {}

extension CallError {
  fileprivate var isOfOutdatedPart: Bool {
    if case .declined(let reason)? = cause as? JingleCore.FileTransfer.Failure {
      return reason?.condition == .incompatibleParameters
    }
    return cause is OutdatedPart
  }
}

extension FileDescription {
  /// Takes from the sender's answer what was not known before.
  fileprivate mutating func learn(_ answer: FileDescription) {
    name = name ?? answer.name
    size = size ?? answer.size
    date = date ?? answer.date
    mediaType = mediaType ?? answer.mediaType
    descriptions = descriptions.isEmpty ? answer.descriptions : descriptions
    hashes.formUnion(answer.hashes)
  }
}

extension PartialFile {
  /// The part that a folder has of a file that is like this; nil when there is none.
  fileprivate static func kept(
    of file: FileDescription, from peer: JID, in directory: String
  ) -> (identity: Identity, count: Int64)? {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    for name in names where name.hasPrefix(".carillon-") && name.hasSuffix(".part.json") {
      let record = "\(directory)/\(name)"
      guard let identity = readRecord(record), identity.peer == peer.description,
        file.name ?? identity.name == identity.name, file.size ?? identity.size == identity.size,
        file.hashes.strongest.map({ "\($0.algorithm.rawValue):\($0.hexadecimal)" == identity.hash }) ?? true,
        let part = try? FileManager.default.attributesOfItem(atPath: String(record.dropLast(".json".count))),
        let count = part[.size] as? Int64, count > 0
      else { continue }
      return (identity, count)
    }
    return nil
  }
}
