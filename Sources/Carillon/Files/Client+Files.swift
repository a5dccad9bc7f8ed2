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
    let source = try SourceFile(file.path, on: FileThreads.shared.next())
    let device = try await fileDevice(of: peer)
    guard transfers.count < Self.maximumTransfers, let own = link?.address else {
      throw CallError(.failed, "There are too many transfers already.")
    }
    let ways = file.ways.filter { $0.isSupported(by: device.info) }
    guard !ways.isEmpty else {
      throw CallError(
        .nothingInCommon,
        "\(device.jid) takes files, but by none of \(file.ways.map(\.rawValue).joined(separator: ", ")).")
    }
    let name = file.name ?? URL(fileURLWithPath: file.path).lastPathComponent
    let description = FileDescription(
      name: name, size: source.size, date: source.modified, mediaType: file.mediaType,
      descriptions: file.text.map { [.init($0)] } ?? [], hashes: Hashes(announced: [.sha256]), range: .init())
    let sid = StanzaID.random(using: &random)
    let content = "file"
    let transfer = ActiveTransfer(
      sid: sid, peer: device.jid, isOutgoing: true, content: content, description,
      session: JingleSession(
        initiating: sid, own: own, peer: device.jid, understoodInfo: [FileInfo.namespace], deciding: [.transports]),
      machine: JingleCore.FileTransfer(
        proposing: description, .sending, as: .init(creator: .initiator, name: content), limits: fileLimits,
        at: SystemClock.now),
      ways: ways)
    transfer.source = source
    transfer.dataChannelForm =
      DataChannelTransport.Form.allCases.first { device.info.supports($0.feature) } ?? .wrapped
    transfer.isAnswered = true
    transfers[sid] = transfer
    guard router.add(sid, sid: sid, peer: device.jid) else {
      transfers[sid] = nil
      throw CallError(.failed, "There are too many sessions already.")
    }
    let id = transfer.id
    spawn { await self.offer(id) }
    return try await inScope(transfer, body)
  }

  func receiveFile(
    _ id: UUID, into directory: String, _ body: @escaping @Sendable (FileTransfer) async -> Void
  ) async throws -> FileReceipt {
    guard let transfer = transfer(id), !transfer.isAnswered else {
      throw CallError(.failed, "The offer was withdrawn.")
    }
    transfer.isAnswered = true
    transfer.stopPending.finish()
    spawn { await self.accept(id, into: directory) }
    return try await inScope(transfer, body)
  }

  /// Ends a transfer, or declines one that was not answered. Does nothing when it is over.
  func cancelTransfer(_ id: UUID) {
    guard let transfer = transfer(id) else { return }
    transfer.isAnswered = true
    carryOut(transfer.machine.end(.cancelled), of: transfer)
    rearm()
  }

  func transfer(_ id: UUID) -> ActiveTransfer? { transfers.values.first { $0.id == id } }

  private func inScope(
    _ transfer: ActiveTransfer, _ body: @escaping @Sendable (FileTransfer) async -> Void
  ) async throws -> FileReceipt {
    let (handle, id) = (FileTransfer(transfer, client: self), transfer.id)
    return try await withTaskCancellationHandler {
      async let told: Void = body(handle)
      let result = await end(of: transfer)
      await told
      return try result.get()
    } onCancel: {
      Task { await self.cancelTransfer(id) }
    }
  }

  private func end(of transfer: ActiveTransfer) async -> Result<FileReceipt, CallError> {
    if let result = transfer.result { return result }
    return await withCheckedContinuation { transfer.waiters.append($0) }
  }

  /// The device of a peer's that takes files.
  private func fileDevice(of peer: JID) async throws(CallError) -> (jid: JID, info: DiscoInfo) {
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
    var isSomebodyThere = false
    for device in devices.prefix(8) {
      guard let info = await features(of: device) else { continue }
      isSomebodyThere = true
      if info.supports(FileDescription.namespace) { return (device, info) }
    }
    let names = devices.map { $0.resourcepart ?? "\($0)" }.joined(separator: ", ")
    throw isSomebodyThere
      ? CallError(.noAnswer, "\(peer) is online (\(names)), but no device there takes files (XEP-0234).")
      : CallError(.noAnswer, "\(peer) does not answer (\(names)).")
  }
}

extension FileTransferWay {
  /// The features of who can do it: one of these.
  var features: [String] {
    switch self {
    case .dataChannel: DataChannelTransport.Form.allCases.map(\.feature)
    case .socks5: [SOCKS5Transport.namespace]
    case .inBand: [InBandTransport.namespace]
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
  static let shared = CodecThreads(count: 2, name: "file")
}
