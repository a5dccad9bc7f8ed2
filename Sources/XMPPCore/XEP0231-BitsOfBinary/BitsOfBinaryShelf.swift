/// The data that this side names to others, for as long as it may be asked for: the latest, at most `maximumCount`.
///
/// Whoever knows a name may have its data, so only what the asker may see is to be named to anybody.
///
/// - Specification: XEP-0231 §2.3
package struct BitsOfBinaryShelf: Sendable {
  package static let maximumCount = 64

  /// Oldest first.
  private var data: [BitsOfBinary] = []

  package init() {}

  /// Offers data; what is there for longest goes when there is no room.
  package mutating func put(_ new: BitsOfBinary) {
    data.removeAll { $0.cid == new.cid }
    if data.count == Self.maximumCount { data.removeFirst() }
    data.append(new)
  }

  /// The answer to a question for data; nil when the iq is none.
  package func answer(to iq: IQ) -> IQ? {
    guard case .get(let request) = iq.content, request.is("data", BitsOfBinary.namespace) else { return nil }
    guard let cid = BitsOfBinary.requested(by: request) else { return iq.reply(.error(StanzaError(.badRequest))) }
    guard let found = data.first(where: { $0.cid == cid }) else { return iq.reply(.error(StanzaError(.itemNotFound))) }
    return iq.reply(.result(found.element))
  }
}
