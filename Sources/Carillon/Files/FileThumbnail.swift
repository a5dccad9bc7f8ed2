import Foundation
import JingleCore
import XMPPCore

/// A small picture of a file.
public struct FileThumbnail: Sendable, Hashable {
  /// As they are in a file of this type: at most 64 KiB; more than 8 KiB is advised against.
  public var bytes: [UInt8]
  /// `image/png`, `image/jpeg`, `image/webp`, …
  public var mediaType: String
  /// In pixels. In a peer's this is what the peer says: allocate nothing by it.
  public var width: Int?
  public var height: Int?

  public init(_ bytes: [UInt8], mediaType: String, width: Int? = nil, height: Int? = nil) {
    self.bytes = bytes
    self.mediaType = mediaType
    self.width = width
    self.height = height
  }
}

extension FileSummary {
  /// What is told of a small picture of the file.
  public struct Thumbnail: Sendable, Hashable {
    /// Where it is: with the scheme `cid`, `IncomingFile.thumbnail` fetches it; `https` and `http` are left to the
    /// application, which tells the address of whoever looks.
    public var uri: String
    public var mediaType: String?
    /// In pixels, as the peer says.
    public var width: Int?
    public var height: Int?
  }
}

extension FileSummary.Thumbnail {
  init(_ thumbnail: Thumbnail) {
    uri = thumbnail.uri
    mediaType = thumbnail.mediaType
    width = thumbnail.width.map(Int.init)
    height = thumbnail.height.map(Int.init)
  }
}

extension FileThumbnail {
  /// - Throws: `CallError(.input)` when it is too large for a stanza, or of no type.
  func data() throws(CallError) -> BitsOfBinary {
    guard (1...BitsOfBinary.maximumLength).contains(bytes.count) else {
      throw CallError(.input, "A thumbnail has \(BitsOfBinary.maximumLength) bytes at most, and not \(bytes.count).")
    }
    guard let type = MediaType.checked(mediaType) else {
      throw CallError(.input, "\(mediaType) is no media type; a thumbnail's is one such as image/png.")
    }
    return BitsOfBinary(bytes, type: type, maxAge: .zero)
  }

  /// - Specification: XEP-0264 §4
  func announcement(of data: BitsOfBinary?) -> [Thumbnail] {
    guard let data else { return [] }
    return Thumbnail(
      uri: data.cid.uri, mediaType: data.type, width: width.flatMap { UInt16(exactly: $0) },
      height: height.flatMap { UInt16(exactly: $0) }
    ).map { [$0] } ?? []
  }
}

// Thumbnails by Bits of Binary.
extension Client {
  /// How long a peer may take to send one.
  private static let thumbnailPatience = Duration.seconds(15)

  /// Answers a question for the thumbnail of a file that is offered to who asks, for as long as it lasts.
  ///
  /// - Returns: nil when the iq asks for something else.
  /// - Specification: XEP-0231 §2.3
  func answerBitsOfBinary(_ iq: IQ) -> IQ? {
    var shelf = BitsOfBinaryShelf()
    for transfer in transfers.values where transfer.peer == iq.from {
      if let data = transfer.thumbnail { shelf.put(data) }
    }
    return shelf.answer(to: iq)
  }

  func thumbnail(_ id: UUID) async throws(CallError) -> FileThumbnail? {
    guard let transfer = transfer(id) else { throw CallError(.failed, "The offer was withdrawn.") }
    guard let announced = transfer.file.thumbnails.first(where: { $0.contentID != nil }), let cid = announced.contentID
    else { return nil }
    var found = transfer.session.bits.first { $0.cid == cid }
    if found == nil {
      let outcome = await ask(
        .get(BitsOfBinary.request(cid)), of: transfer.peer, timeout: Self.thumbnailPatience)
      guard case .result(let element) = outcome else {
        throw CallError(.failed, "\(transfer.peer) does not send the thumbnail of \(transfer.summary.name).")
      }
      do {
        found = try BitsOfBinary(element, answering: cid)
      } catch {
        let what = "What \(transfer.peer) sends for a thumbnail cannot be used: \(error)."
        throw CallError(.protocolViolation, what, cause: error)
      }
    }
    // A name without a hash could be anything's.
    guard let data = found, data.isGenuine == true else {
      throw CallError(.protocolViolation, "The thumbnail of \(transfer.summary.name) cannot be checked by its name.")
    }
    return FileThumbnail(
      data.bytes, mediaType: data.type, width: announced.width.map(Int.init), height: announced.height.map(Int.init))
  }
}
