import Testing
import XMPPCore

@Suite struct XEP0184DeliveryReceiptsCodingTests {
  @Test(
    "The examples' wish and receipt are read, their broken twins are not",
    arguments: [
      ("<message id='richard2-4.1.247'><body>dispatch</body><request xmlns='urn:xmpp:receipts'/></message>", .request),
      ("<message><body>dispatch</body><request xmlns='urn:xmpp:receipts'/></message>", nil),
      (
        "<message id='bi29sg183b4v'><received xmlns='urn:xmpp:receipts' id='richard2-4.1.247'/></message>",
        .received(id: "richard2-4.1.247")
      ),
      ("<message id='bi29sg183b4v'><received xmlns='urn:xmpp:receipts'/></message>", nil),
      ("<message id='bi29sg183b4v'><received xmlns='urn:xmpp:receipts' id=''/></message>", nil),
      ("<message id='a'><request/></message>", nil),
    ] as [(String, DeliveryReceipt?)])
  func read(text: String, receipt: DeliveryReceipt?) throws {
    #expect(try DeliveryReceipt(in: Message(stanza(text))) == receipt)
  }

  @Test("What is written is read back", arguments: [DeliveryReceipt.request, .received(id: "a&b")])
  func roundTrip(receipt: DeliveryReceipt) {
    #expect(DeliveryReceipt(in: Message(id: "1", payloads: [receipt.element])) == receipt)
  }
}
