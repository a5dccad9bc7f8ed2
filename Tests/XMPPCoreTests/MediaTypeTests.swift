import Testing
import XMPPCore

@Suite struct MediaTypeTests {
  @Test(
    "A media type is told from what is none",
    arguments: [
      ("text/plain", "text/plain"), (" image/svg+xml\n", "image/svg+xml"),
      ("audio/ogg; codecs=\"speex\"", "audio/ogg; codecs=\"speex\""), ("", nil), ("text", nil), ("/", nil),
      ("text/", nil), ("/plain", nil), ("a/b/c", nil), ("text/plain\u{0}", nil), ("text/pläin", nil),
      ("text/plain\r\nX: y", nil), ("te xt/plain", nil), ("x/" + String(repeating: "x", count: 254), nil),
    ] as [(String, String?)])
  func types(text: String, type: String?) {
    #expect(MediaType.checked(text) == type)
  }
}
