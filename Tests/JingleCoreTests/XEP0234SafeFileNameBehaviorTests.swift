import JingleCore
import Testing

@Suite struct XEP0234SafeFileNameBehaviorTests {
  @Test(
    "A name is reduced to one that can do no harm",
    arguments: [
      // As they are.
      ("report.txt", "report.txt"), ("Ein Brief an Zoë.odt", "Ein Brief an Zoë.odt"), ("写真.jpeg", "写真.jpeg"),
      ("a-b_c+d~e (1).tar.gz", "a-b_c+d~e (1).tar.gz"), ("👩‍👩‍👧.png", "👩‍👩‍👧.png"), ("README", "README"),
      // Paths.
      ("../../etc/passwd", "passwd"), ("/etc/passwd", "passwd"), ("..\\..\\boot.ini", "boot.ini"),
      ("C:\\Users\\x\\a.txt", "a.txt"), ("a/b/", "b"), ("a/..", "a"), ("a/./.", "a"), ("a\u{FF0F}b", "b"),
      ("a\u{2215}b", "b"),
      // Nothing is left.
      ("", "file"), (".", "file"), ("..", "file"), ("...", "file"), ("/", "file"), ("../..", "file"), ("\u{0}", "file"),
      (" \t\n", "file"), ("---", "file"), ("\u{202E}", "file"), ("\u{301}", "file"),
      // Hidden files, options, and ends that some systems drop.
      (".bashrc", "bashrc"), ("..a", "a"), ("-rf", "rf"), ("--help.txt", "help.txt"), (" . -x", "x"),
      ("a.txt.", "a.txt"), ("a.txt ", "a.txt"), ("a .. . ", "a"),
      // Controls, lines, and marks of direction that show an ending where there is none.
      ("a\u{0}b.txt", "ab.txt"), ("a\nb\r\u{1B}[31m.txt", "ab[31m.txt"), ("a\u{7F}\u{85}\u{9B}b", "ab"),
      ("invoice\u{202E}fdp.exe", "invoicefdp.exe"), ("\u{2066}a\u{2069}\u{200F}\u{200E}\u{61C}.txt", "a.txt"),
      ("a\u{2028}b\u{2029}c", "abc"), ("\u{FEFF}a\u{200B}\u{2060}\u{AD}b", "ab"), ("a\u{E0041}b", "ab"),
      // Letters and marks that show nothing.
      ("\u{200D}", "file"), ("\u{3164}\u{115F}\u{FFA0}", "file"), ("\u{200C}-rf", "rf"), ("a.txt\u{200D}", "a.txt"),
      ("a.jpg\u{3164}\u{3164}.exe", "a.jpg.exe"), ("a\u{34F}b", "ab"), ("❤️.png", "❤️.png"), ("می‌خواهم", "می‌خواهم"),
      // What others' file systems do not have.
      ("a:b*c?d\"e<f>g|h.txt", "a_b_c_d_e_f_g_h.txt"), ("CON", "_CON"), ("con.txt", "_con.txt"),
      ("Com1.tar.gz", "_Com1.tar.gz"), ("CONSOLE", "CONSOLE"),
    ])
  func reduced(name: String, safe: String) {
    #expect(SafeFileName.reduced(name) == safe)
    #expect(SafeFileName.reduced(safe) == safe)
  }

  @Test func `No name at all is a name, too`() {
    #expect(SafeFileName.reduced(nil) == "file")
  }

  @Test(
    "A long name keeps its extension, and whole characters of the rest",
    arguments: ["x", "é", "写", "👩", "e\u{301}\u{302}"])
  func long(character: String) {
    for ending in ["", ".txt", ".tar.gz"] {
      let safe = SafeFileName.reduced(String(repeating: character, count: 300) + ending)
      #expect(safe.utf8.count <= SafeFileName.maximumLength)
      #expect(safe.utf8.count > SafeFileName.maximumLength - 4)
      #expect(safe.hasSuffix(ending))
      #expect(SafeFileName.reduced(safe) == safe)
    }
  }

  @Test func `What is too long to be an extension is cut like the rest`() {
    let safe = SafeFileName.reduced("a." + String(repeating: "x", count: 300))
    #expect(safe == "a." + String(repeating: "x", count: SafeFileName.maximumLength - 2))
  }

  @Test(
    "A number goes before the extension",
    arguments: [
      ("report.txt", 0, "report.txt"), ("report.txt", 1, "report (1).txt"), ("report.txt", 23, "report (23).txt"),
      ("backup.tar.gz", 1, "backup (1).tar.gz"), ("README", 2, "README (2)"), ("a.b c", 1, "a.b c (1)"),
      ("v1.2.zip", 1, "v1.2 (1).zip"), ("a (1).txt", 1, "a (1) (1).txt"), ("a.tar", 1, "a (1).tar"),
    ])
  func numbered(name: String, number: Int, expected: String) {
    #expect(SafeFileName.numbered(name, number) == expected)
  }

  @Test func `A long name is cut further for its number`() {
    let name = SafeFileName.reduced(String(repeating: "é", count: 300) + ".txt")
    for number in [1, 99, 100_000] {
      let numbered = SafeFileName.numbered(name, number)
      #expect(numbered.hasSuffix(" (\(number)).txt"))
      #expect(numbered.utf8.count <= SafeFileName.maximumLength)
    }
  }

  @Test func `Whatever the name, the result is safe`() {
    var random = SplitMix64(seed: 234)
    let scalars: [Unicode.Scalar] = [
      ".", ".", "/", "\\", "-", " ", "\u{0}", "\n", "\u{202E}", "\u{200D}", "a", "é", "写", "👩", ":", "\u{301}", "~",
    ]
    for _ in 0..<2_000 {
      let count = Int.random(in: 0...300, using: &random)
      var name = String.UnicodeScalarView()
      for _ in 0..<count { name.append(scalars.randomElement(using: &random) ?? "a") }
      let safe = SafeFileName.reduced(String(name))
      #expect(!safe.isEmpty && safe.utf8.count <= SafeFileName.maximumLength)
      #expect(!safe.unicodeScalars.contains { "/\\\0\n\u{202E}:".unicodeScalars.contains($0) })
      #expect(!safe.hasPrefix(".") && !safe.hasPrefix("-") && !safe.hasSuffix(".") && !safe.hasSuffix(" "))
      #expect(SafeFileName.reduced(safe) == safe)
    }
  }
}
