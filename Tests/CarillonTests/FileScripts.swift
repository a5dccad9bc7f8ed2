import CarillonTesting
import Foundation
import JingleCore
import Testing
import XMPPCore

@testable import Carillon

extension ScriptedPeer {
  static let takingFiles = [
    Jingle.namespace, FileDescription.namespace, InBandTransport.namespace, InBandBytestream.namespace,
  ]

  /// Offers a file.
  ///
  /// - Parameter change: what becomes of the offer before it goes out.
  @discardableResult
  func offer(
    _ file: FileDescription, sid: String = "s1", _ transport: Jingle.Transport = .inBand(.init(sid: "b1")),
    to recipient: JID = FileStage.bobsAddress, changing change: (inout XMLElement) -> Void = { _ in }
  ) async throws -> IQ {
    let jingle = Jingle(
      .sessionInitiate, sid: sid, initiator: address,
      contents: [
        Jingle.Content(name: "file", senders: .initiator, description: .file(file), transport: transport)
      ])
    var element = jingle.element
    change(&element)
    return try await request(element, to: recipient)
  }

  /// Offers a file to be sent in band, and begins to.
  func openInBand(
    _ file: FileDescription, sid: String = "s1", stream: String = "b1", to recipient: JID = FileStage.bobsAddress
  ) async throws {
    let answer = try await offer(file, sid: sid, .inBand(.init(sid: stream, blockSize: 4096)), to: recipient)
    try #require(answer.content == .result(nil))
    _ = try await jingle(.sessionAccept)
    try #require(
      try await request(InBandBytestream.Open(sid: stream, blockSize: 4096).element, to: recipient).content
        == .result(nil))
  }

  @discardableResult
  func sendBlock(
    _ number: UInt16, _ bytes: some Collection<UInt8>, stream: String = "b1", to recipient: JID = FileStage.bobsAddress
  ) async throws -> IQ {
    try await request(
      InBandBytestream.Block(sid: stream, sequenceNumber: number, bytes: bytes).element, to: recipient)
  }

  /// Opens a bytestream and sends a block in it, which is all.
  func sendInBand(_ bytes: [UInt8], stream: String) async throws {
    let opened = try await request(InBandBytestream.Open(sid: stream).element, to: FileStage.bobsAddress)
    #expect(opened.content == .result(nil))
    try await sendBlock(0, bytes, stream: stream)
  }

  /// The next block that comes in band, which is answered.
  func nextBlock() async throws -> InBandBytestream.Block {
    let iq = try IQ(try await next { $0.name == "iq" && $0.first("data", InBandBytestream.namespace) != nil })
    await answer(iq)
    return try InBandBytestream.Block(#require(iq.request))
  }

  /// Tells the hash.
  func sendChecksum(of bytes: [UInt8], sid: String = "s1", to recipient: JID = FileStage.bobsAddress) async throws {
    let info = FileInfo.checksum(
      .init(creator: .initiator, name: "file"), Hashes([HashValue(.sha256, of: bytes)]))
    try await request(Jingle(.sessionInfo, sid: sid, payloads: [info.element]), to: recipient)
  }

  /// Why the other side ended the session.
  func farewell() async throws -> Jingle.Reason {
    try #require(try await jingle(.sessionTerminate).0.reason)
  }

  /// Accepts the file that is offered.
  ///
  /// - Parameter change: what becomes of the answer before it goes out.
  @discardableResult
  func acceptFile(
    changing change: (inout Jingle.Content) -> Void = { _ in }
  ) async throws -> (sid: String, stream: String, from: JID) {
    let (offer, from) = try await jingle(.sessionInitiate)
    var content = try #require(offer.contents.first)
    let stream = try #require(content.transport?.inBand?.sid)
    change(&content)
    try await request(Jingle(.sessionAccept, sid: offer.sid, responder: address, contents: [content]), to: from)
    return (offer.sid, stream, from)
  }

  /// The next request of an in-band bytestream.
  func inBand(_ name: String) async throws -> IQ {
    try IQ(try await next { $0.first(name, InBandBytestream.namespace) != nil })
  }

  func answer(_ iq: IQ, _ error: StanzaError? = nil) {
    link.send(iq.reply(error.map { .error($0) } ?? .result(nil)).element)
  }
}

extension Jingle.Content {
  /// A file that goes in band.
  static func file(
    _ name: String, _ file: FileDescription, senders: Jingle.Senders = .initiator, stream: String? = nil,
    carrier: InBandBytestream.Carrier = .iq
  ) -> Jingle.Content {
    Jingle.Content(
      name: name, senders: senders, description: .file(file),
      transport: .inBand(InBandTransport(sid: stream ?? "ibb-\(name)", carrier: carrier)))
  }
}

extension FileDescription {
  static func text(_ name: String, _ bytes: [UInt8]) -> FileDescription {
    FileDescription(name: name, size: Int64(bytes.count), hashes: Hashes([HashValue(.sha256, of: bytes)]))
  }
}

extension IQ {
  var condition: StanzaError.Condition? { if case .error(let error) = content { error.condition } else { nil } }
}

extension XMLElement {
  /// Changes each element of that name and namespace in it.
  mutating func change(_ name: String, _ namespace: String, _ change: (inout XMLElement) -> Void) {
    if self.is(name, namespace) { change(&self) }
    for index in nodes.indices {
      guard case .element(var child) = nodes[index] else { continue }
      child.change(name, namespace, change)
      nodes[index] = .element(child)
    }
  }

  func changing(_ name: String, _ namespace: String, _ change: (inout XMLElement) -> Void) -> XMLElement {
    var copy = self
    copy.change(name, namespace, change)
    return copy
  }
}
