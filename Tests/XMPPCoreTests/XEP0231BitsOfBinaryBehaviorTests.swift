import Testing
import XMPPCore

@Suite struct XEP0231BitsOfBinaryBehaviorTests {
  private let doctor = JID(localpart: "doctor", domainpart: "shakespeare.example", resourcepart: "pda")
  private let lady = JID(localpart: "ladymacbeth", domainpart: "shakespeare.example", resourcepart: "castle")

  private func question(_ element: XMLElement) -> IQ { IQ(id: "get-data-1", from: doctor, to: lady, .get(element)) }

  @Test func `What was put there is given to whoever knows its name`() throws {
    var shelf = BitsOfBinaryShelf()
    let spot = BitsOfBinary(Array("a spot".utf8), type: "image/png", maxAge: .seconds(60))
    shelf.put(spot)
    let answer = try #require(shelf.answer(to: question(BitsOfBinary.request(spot.cid))))
    #expect(answer.to == doctor && answer.id == "get-data-1")
    #expect(try BitsOfBinary(answer.payload, answering: spot.cid) == spot)
  }

  @Test func `What is not there is not found, and what is no question is not answered`() {
    var shelf = BitsOfBinaryShelf()
    shelf.put(BitsOfBinary([1], type: "image/png"))
    let other = BitsOfBinary([2], type: "image/png")
    guard case .error(let error) = shelf.answer(to: question(BitsOfBinary.request(other.cid)))?.content else {
      Issue.record("no error")
      return
    }
    #expect(error.condition == .itemNotFound)
    #expect(shelf.answer(to: question(XMLElement("data", namespace: "urn:x"))) == nil)
    #expect(shelf.answer(to: IQ(id: "1", from: doctor, to: lady, .set(BitsOfBinary.request(other.cid)))) == nil)
    let nameless = XMLElement("data", namespace: BitsOfBinary.namespace)
    #expect(shelf.answer(to: question(nameless))?.content == .error(StanzaError(.badRequest)))
  }

  @Test func `The latest are kept, each once`() {
    var shelf = BitsOfBinaryShelf()
    let many = (0...BitsOfBinaryShelf.maximumCount).map { BitsOfBinary([UInt8($0)], type: "image/png") }
    for data in many + many.dropFirst() { shelf.put(data) }
    let isKept = many.map { data in
      if case .result = shelf.answer(to: question(BitsOfBinary.request(data.cid)))?.content { true } else { false }
    }
    #expect(isKept == [false] + Array(repeating: true, count: BitsOfBinaryShelf.maximumCount))
  }
}
