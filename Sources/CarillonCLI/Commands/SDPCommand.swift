import ArgumentParser
import Carillon
import FoundationEssentials
import Glibc
import JingleCore
import XMPPCore

struct SDPCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sdp", abstract: "Turn SDP into Jingle, or Jingle into SDP.",
    discussion: """
      Reads standard input and writes standard output. A description becomes a jingle element, and a jingle element \
      (or the iq around it) a description. A transport-info becomes one RTCIceCandidateInit a line, as JSON, and such \
      lines become a transport-info. What the other language has no words for is left out and told on standard error.

      An answer keeps the order of its offer's m-lines, in which contents that are not accepted have port 0: give the \
      offer with --offer.
      """)

  enum Language: String, CaseIterable, ExpressibleByArgument { case jingle, sdp }

  @Option(help: "What to write (default: the other than what is read).")
  var to: Language?

  @Option(help: "Whose description it is (default: the responder's for an answer, else the initiator's).")
  var role: Jingle.Party?

  @Option(
    help: """
      session-initiate, session-accept, content-add, content-accept, description-info or transport-info (default: \
      session-accept for the responder or with --offer, else session-initiate).
      """,
    transform: parseAction)
  var action: Jingle.Action?

  @Option(help: "The session's id (default: that of the description; candidates have none).")
  var sid: String?

  @Option(help: ArgumentHelp("SDP of the offer that is answered.", valueName: "file"))
  var offer: String?

  @Option(help: ArgumentHelp("SDP with the passwords that go with candidates.", valueName: "file"))
  var credentials: String?

  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    if let sid, !(1...Jingle.maximumNameLength).contains(sid.utf8.count) {
      throw ValidationError("--sid has 1 to \(Jingle.maximumNameLength) bytes.")
    }
  }

  func run() async throws {
    try await Session.reporting(output) { console in
      let translation = try translate(
        try Self.readInput(), offer: offer.map(Self.readDescription), credentials: credentials.map(Self.readDescription)
      )
      for warning in translation.warnings { console.warning(code: "omitted", warning) }
      if !translation.text.isEmpty { console.result(translation.text) }
      console.event("sdp", [translation.language.rawValue: .string(translation.text)])
    }
  }
}

extension SDPCommand {
  struct Translation: Equatable {
    var language: Language
    /// Without the last line's end.
    var text: String
    var warnings: [String] = []
  }

  /// What the command writes when it reads `input`.
  func translate(
    _ input: String, offer: SessionDescription? = nil, credentials: SessionDescription? = nil
  ) throws(CommandFailure) -> Translation {
    do {
      switch (input.first { !$0.isWhitespace }, to) {
      case ("<", .sdp), ("<", nil): return try fromJingle(input, offer: offer)
      case ("v", .jingle), ("v", nil): return try fromDescription(input, offer: offer)
      case ("{", .jingle), ("{", nil): return try fromCandidates(input, credentials: credentials)
      case ("<", .jingle): throw Self.usage("This is Jingle already.")
      case ("v", .sdp), ("{", .sdp): throw Self.usage("This is SDP already.")
      case (nil, _): throw Self.corrupt("There is nothing to read.")
      default: throw Self.corrupt("This is neither SDP, which begins with v=0, nor a jingle element, nor candidates.")
      }
    } catch {
      switch error {
      case let failure as CommandFailure: throw failure
      case let error as SDPError: throw Self.corrupt("\(error)")
      default: throw CommandFailure(error)
      }
    }
  }

  private func fromDescription(_ input: String, offer: SessionDescription?) throws -> Translation {
    let description = try SessionDescription(parsing: String(input.drop(while: \.isWhitespace)))
    let action = action ?? (offer != nil || role == .responder ? .sessionAccept : .sessionInitiate)
    let read = try description.jingle(
      action, sid: sid ?? description.id, from: role ?? (action.answersOffer ? .responder : .initiator),
      answering: offer)
    var warnings = read.omitted.map { "Jingle has no words for this: \($0)." }
    if action.answersOffer, !read.rejected.isEmpty {
      warnings.append("The answer rejects \(read.rejected.joined(separator: ", ")).")
    }
    guard !read.jingle.contents.isEmpty else {
      throw Self.corrupt("The description has no m-line that is RTP and not rejected.")
    }
    return Translation(language: .jingle, text: read.jingle.element.serialized(), warnings: warnings)
  }

  private func fromCandidates(_ input: String, credentials: SessionDescription?) throws -> Translation {
    guard let sid else { throw Self.usage("Candidates do not say which session they belong to: give --sid.") }
    var candidates: [TrickledCandidate] = []
    for (index, line) in input.split(whereSeparator: \.isNewline).enumerated() {
      guard
        let candidate = try? JSONDecoder().decode(BrowserCandidate.self, from: Data(line.utf8)),
        let mid = candidate.sdpMid
      else { throw Self.corrupt("line \(index + 1): this is no RTCIceCandidateInit with an sdpMid.") }
      candidates.append(
        TrickledCandidate(mid: mid, candidate: candidate.candidate, ufrag: candidate.usernameFragment))
    }
    // All that share a ufrag share its password, also those m-lines of a bundle that do not say it.
    let known = try credentials?.jingle(.sessionInitiate, sid: sid, from: .initiator).jingle.contents
      .compactMap { $0.transport?.iceUDP }
    let jingle = try Jingle(trickling: candidates, sid: sid) { _, ufrag in
      known?.first { $0.ufrag == ufrag }?.pwd
    }
    return Translation(language: .jingle, text: jingle.element.serialized())
  }

  private func fromJingle(_ input: String, offer: SessionDescription?) throws -> Translation {
    let jingle: Jingle
    do {
      let element = try XMLElement(parsing: input)
      jingle = try Jingle(element.name == "iq" ? element.first("jingle", Jingle.namespace) ?? element : element)
    } catch let error as StanzaError {
      throw Self.corrupt(error.text ?? "\(error)")
    } catch {
      throw Self.corrupt("The XML is not well-formed: \(error).")
    }
    if jingle.action == .transportInfo {
      let lines = jingle.trickledCandidates.map { candidate in
        var object: JSONObject = ["candidate": .string(candidate.candidate), "sdpMid": .string(candidate.mid)]
        if let ufrag = candidate.ufrag { object["usernameFragment"] = .string(ufrag) }
        return object.text
      }
      return Translation(
        language: .sdp, text: lines.joined(separator: "\n"),
        warnings: lines.isEmpty ? ["The transport-info has no candidates."] : [])
    }
    let written = try jingle.sessionDescription(
      from: role ?? (jingle.action.answersOffer ? .responder : .initiator), answering: offer)
    // The last line's end comes with the printing.
    return Translation(
      language: .sdp, text: try written.description.text().dropLast() + "\r",
      warnings: written.omitted.map { "SDP has no words for this: \($0)." })
  }

  private static func readInput() throws -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(STDIN_FILENO, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw corrupt("Standard input cannot be read.") }
      if count == 0 { break }
      bytes += buffer[..<count]
      guard bytes.count <= SessionDescription.maximumLength else {
        throw corrupt("There are more than \(SessionDescription.maximumLength) bytes to read.")
      }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw corrupt("This is no UTF-8.") }
    return text
  }

  private static func readDescription(_ path: String) throws -> SessionDescription {
    guard let data = FileManager.default.contents(atPath: path) else { throw usage("\(path) cannot be read.") }
    do {
      return try SessionDescription(parsing: String(decoding: data, as: UTF8.self))
    } catch {
      throw corrupt("\(path), \(error)")
    }
  }

  private static func usage(_ message: String) -> CommandFailure {
    CommandFailure(code: "usage", message: message, status: .usage)
  }

  private static func corrupt(_ message: String) -> CommandFailure {
    CommandFailure(code: "malformed", message: message, status: .corruptData)
  }
}

/// A candidate as browsers write it.
private struct BrowserCandidate: Decodable {
  var candidate: String
  var sdpMid: String?
  var usernameFragment: String?
}

extension Jingle.Party: ExpressibleByArgument {}

private func parseAction(_ text: String) throws -> Jingle.Action {
  let action = Jingle.Action(text)
  guard action.isOffer || action.answersOffer || [.descriptionInfo, .transportInfo].contains(action) else {
    throw ValidationError("'\(text)' is no action with a description or candidates.")
  }
  return action
}
