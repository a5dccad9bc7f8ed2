import Testing
import XMPPCore

@Suite struct XEP0004DataFormsCodingTests {
  @Test("A form is read and written back unchanged")
  func roundTrip() throws {
    let element = try stanza(
      """
      <x type='result' xmlns='jabber:x:data'><field type='hidden' var='FORM_TYPE'>\
      <value>urn:xmpp:dataforms:softwareinfo</value></field>\
      <field type='text-multi' var='ip_version'><value>ipv4</value><value>ipv6</value></field>\
      <field var='empty'/></x>
      """)
    let form = try DataForm(element)
    #expect(form.element == element)
    #expect(form.formType?.values == ["urn:xmpp:dataforms:softwareinfo"])
    #expect(form.fields.map(\.name) == ["FORM_TYPE", "ip_version", "empty"])
  }

  @Test(
    "What is no form is refused",
    arguments: ["<x xmlns='jabber:x:data'/>", "<y type='result' xmlns='jabber:x:data'/>", "<x type='result'/>"])
  func malformed(text: String) throws {
    let element = try stanza(text)
    #expect(throws: StanzaError.self) { try DataForm(element) }
  }

  @Test("Only a hidden field names the form's type")
  func visibleType() {
    #expect(DataForm(fields: [.init("FORM_TYPE", values: ["a"])]).formType == nil)
    #expect(DataForm(fields: [.init("FORM_TYPE", type: "hidden", values: [])]).formType == nil)
  }

  @Test("A form with too many fields is refused", arguments: [(256, true), (257, false)])
  func bound(count: Int, fits: Bool) {
    let form = DataForm(fields: (0..<count).map { .init("f\($0)", values: []) }).element
    #expect(((try? DataForm(form)) != nil) == fits)
  }
}
