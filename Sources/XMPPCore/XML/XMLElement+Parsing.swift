extension XMLElement {
  /// Reads one element from text, by the rules and limits of a stream.
  ///
  /// - Parameter context: the default namespace around the text (`jabber:client` for a stanza taken from a stream).
  package init(
    parsing text: String, inside context: String = "", limits: XMLStreamParser.Limits = .init()
  ) throws(XMLStreamError) {
    let parser = XMLStreamParser(limits: limits)
    let root = XMLElement("root", namespace: context).serialized().dropLast(2)
    var elements: [XMLElement] = []
    for event in parser.parse(root + ">") + parser.parse(text) + parser.parse("</root>") {
      switch event {
      case .element(let element): elements.append(element)
      case .failed(let error): throw error
      case .opened, .closed: break
      }
    }
    guard elements.count == 1, let element = elements.first else {
      throw .notWellFormed("\(elements.count) elements instead of one")
    }
    self = element
  }
}
