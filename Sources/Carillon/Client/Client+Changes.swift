import Foundation
import JingleCore
import MediaEngine
import MediaTime
import XMPPCore

// What changes in a running call.
extension Client {
  private func call(_ id: UUID) throws -> ActiveCall {
    guard let call = calls.values.first(where: { $0.id == id }), call.phase != .ended else {
      throw CallError(.failed, "The call is over.")
    }
    return call
  }

  func end(ofOffered id: UUID) -> CallEnd? { offered[id]?.end }
  func contents(of id: UUID) -> [CallContent] { [] }
  func statistics(of id: UUID) -> CallStatistics? { calls.values.first { $0.id == id }?.statistics }

  func add(_ media: MediaOffer, _ category: CallContent.Category?, to id: UUID) async throws -> [CallContent] {
    _ = try call(id)
    return []
  }

  func remove(_ name: String, from id: UUID) throws { _ = try call(id) }
  func setMuted(_ muted: Bool, _ kind: MediaKind, _ id: UUID) throws { _ = try call(id) }
  func setHeld(_ held: Bool, _ id: UUID) throws { _ = try call(id) }
  func sendDTMF(_ digits: String, _ id: UUID) throws { _ = try call(id) }
  func restartICE(_ id: UUID) throws { _ = try call(id) }
}
