import Testing

/// The lower floor is values and machines: it has no sockets, threads, clocks, files or randomness of its own.
@Suite struct FloorTests {
  /// What each target of the lower floor may import. Expat parses in memory, Crypto hashes in memory.
  static let floor: [(target: String, mayImport: Set<String>)] = [
    ("MediaTime", []),
    ("XMPPCore", ["MediaTime", "CExpat", "CSodium", "Crypto", "FoundationEssentials"]),
    ("JingleCore", ["MediaTime", "XMPPCore", "Crypto", "FoundationEssentials"]),
    ("RTPCore", ["MediaTime", "FoundationEssentials"]),
  ]

  /// Files that need all of Foundation, for its Unicode normalization.
  static let foundationUsers: Set<String> = [
    "Sources/XMPPCore/JIDPreparation.swift", "Sources/XMPPCore/SASL/SASLprep.swift",
  ]

  /// The one clock, which machinery reads and the floor does not.
  static let clock = "Sources/MediaTime/SystemClock.swift"

  @Test("The lower floor imports values only", arguments: floor)
  func importsOfTheFloor(target: String, mayImport: Set<String>) throws {
    let files = try SourceTree.swiftFiles(in: "Sources/\(target)")
    #expect(!files.isEmpty)
    for file in files {
      let allowed = Self.foundationUsers.contains(file) ? mayImport.union(["Foundation"]) : mayImport
      let forbidden = try SourceTree.imports(of: file).subtracting(allowed)
      #expect(forbidden.isEmpty, "\(file) imports \(forbidden.sorted().joined(separator: ", "))")
    }
  }

  @Test("The lower floor asks nobody for the time, random numbers, files, threads or the network")
  func worldlyNames() throws {
    let worldly = try Regex(
      #"\b(FileManager|FileHandle|URLSession|Process|ProcessInfo|Thread|Timer|DispatchQueue|Date\(\)|ContinuousClock|SystemClock"#
        + #"|SuspendingClock|SystemRandomNumberGenerator|UUID\(\)|\.random\(in: *[^,)]*\))"#)
    for (target, _) in Self.floor {
      for file in try SourceTree.swiftFiles(in: "Sources/\(target)") where file != Self.clock {
        for line in try SourceTree.text(file).split(separator: "\n") {
          let code = line.firstRange(of: "//").map { line[..<$0.lowerBound] } ?? line[...]
          #expect(code.firstMatch(of: worldly) == nil, "\(file): \(line)")
        }
      }
    }
  }

  @Test("Signalling and media do not know each other: JingleCore and RTPCore meet only in Carillon")
  func strangers() throws {
    for file in try SourceTree.swiftFiles(in: "Sources") {
      let imports = try SourceTree.imports(of: file)
      guard imports.contains("RTPCore"), imports.contains("JingleCore") else { continue }
      let roof = ["Sources/Carillon/", "Sources/CarillonTesting/"]
      #expect(roof.contains(where: file.hasPrefix), "\(file) imports both")
    }
  }

  @Test("Nothing imports the BoringSSL inside swift-nio-ssl or swift-crypto: calls would bind to the wrong library")
  func vendoredBoringSSL() throws {
    for file in try SourceTree.swiftFiles(in: "Sources") + SourceTree.swiftFiles(in: "Tests") {
      let vendored = try SourceTree.imports(of: file).filter {
        $0.hasSuffix("BoringSSL") || $0.hasSuffix("BoringSSLShims")
      }
      #expect(vendored.isEmpty, "\(file) imports \(vendored)")
    }
  }

  @Test(
    "Each C library and event loop has one owner",
    arguments: [
      ("CNice", "MediaEngine"), ("COpenSSL", "MediaEngine"), ("CSRTP", "MediaEngine"), ("CSCTP", "MediaEngine"),
      ("COpus", "MediaCodecs"),
      ("CVPX", "MediaCodecs"), ("CSpanDSP", "MediaCodecs"), ("CSpeexDSP", "MediaCodecs"),
      ("CFFmpeg", "MediaFiles"), ("CCares", "XMPPNetworking"), ("CExpat", "XMPPCore"), ("CSodium", "XMPPCore"),
      ("NIOPosix", "XMPPNetworking"), ("NIOSSL", "XMPPNetworking"),
    ])
  func owners(library: String, owner: String) throws {
    for file in try SourceTree.swiftFiles(in: "Sources") where !file.hasPrefix("Sources/\(owner)/") {
      #expect(try !SourceTree.imports(of: file).contains(library), "\(file) imports \(library), which is \(owner)'s")
    }
  }
}
