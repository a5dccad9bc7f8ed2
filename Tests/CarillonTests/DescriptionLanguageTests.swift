import Testing

@testable import Carillon

@Suite struct DescriptionLanguageTests {
  private static let many = [
    FileText("Ein Bild", language: "de"), FileText("A picture", language: "en"), FileText("(picture)"),
    FileText("Uma foto", language: "pt-BR"), FileText("Foto", language: "PT"), FileText("圖", language: "zh-Hant"),
    FileText("А", language: "sr-Latn-x-old"),
  ]

  @Test(
    "Words are chosen by the reader's languages",
    arguments: [
      ([], "(picture)"), (["de"], "Ein Bild"), (["DE-at"], "Ein Bild"), (["fr", "en-GB"], "A picture"),
      (["fr"], "(picture)"), (["pt-BR"], "Uma foto"), (["pt-PT"], "Foto"), (["zh"], "圖"), (["zh-TW", "en"], "圖"),
      (["sr-Latn-x-new"], "А"), (["d", "", "-", "e"], "(picture)"), (["sr-Latn-x-old-y"], "А"),
    ])
  func choice(languages: [String], text: String) {
    #expect(Self.many.preferred(in: languages) == text)
    #expect(FileSummary(name: "x", texts: Self.many).text(in: languages) == text)
  }

  @Test("Where all words have a language and none is the reader's, the first are shown")
  func first() {
    let texts = Array(Self.many.prefix(2))
    #expect(texts.preferred(in: ["fr"]) == "Ein Bild" && texts.preferred(in: []) == "Ein Bild")
    #expect([FileText]().preferred(in: ["fr"]) == nil)
    #expect(FileSummary(name: "x", texts: texts).text == "Ein Bild")
  }

  @Test("A file to send keeps its words in other languages when those without one change")
  func outgoing() {
    var file = OutgoingFile(path: "x")
    #expect(file.text == nil)
    file.texts = [FileText("Ein Bild", language: "de")]
    #expect(file.text == nil)
    file.text = "A"
    file.text = "B"
    #expect(file.texts == [FileText("Ein Bild", language: "de"), FileText("B")] && file.text == "B")
    file.text = nil
    #expect(file.texts == [FileText("Ein Bild", language: "de")])
  }
}
