// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("ExistentialAny"),
]

func library(_ name: String, pkgConfig: String, apt: String) -> Target {
  .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([apt])])
}

func room(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let nio: [Target.Dependency] = [
  .product(name: "NIOCore", package: "swift-nio"),
  .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
  .product(name: "NIOTLS", package: "swift-nio"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
]
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

let package = Package(
  name: "carillon",
  products: [
    .library(name: "Carillon", targets: ["Carillon"]),
    .library(name: "CarillonTesting", targets: ["CarillonTesting"]),
    .library(name: "MediaFiles", targets: ["MediaFiles"]),
    .executable(name: "carillon", targets: ["CarillonCLI"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
  ],
  targets: [
    // C libraries, and beside each the functions that Swift cannot import from it.
    library("CNice", pkgConfig: "nice", apt: "libnice-dev"),
    library("CSRTP", pkgConfig: "libsrtp2", apt: "libsrtp2-dev"),
    library("COpus", pkgConfig: "opus", apt: "libopus-dev"),
    library("CSCTP", pkgConfig: "usrsctp", apt: "libusrsctp-dev"),
    library("CSpanDSP", pkgConfig: "spandsp", apt: "libspandsp-dev"),
    library("CSpeexDSP", pkgConfig: "speexdsp", apt: "libspeexdsp-dev"),
    library("CVPX", pkgConfig: "vpx", apt: "libvpx-dev"),
    library("COpenSSL", pkgConfig: "openssl", apt: "libssl-dev"),
    library("CExpat", pkgConfig: "expat", apt: "libexpat1-dev"),
    library("CCares", pkgConfig: "libcares", apt: "libc-ares-dev"),
    library("CSodium", pkgConfig: "libsodium", apt: "libsodium-dev"),
    library(
      "CFFmpeg", pkgConfig: "libavformat libavcodec libavutil libswresample libswscale",
      apt: "libavformat-dev libavcodec-dev libavutil-dev libswresample-dev libswscale-dev"),
    .target(name: "CGlibcShims"),
    .target(name: "CNiceShims", dependencies: ["CNice"]),
    .target(name: "COpusShims", dependencies: ["COpus"]),
    .target(name: "CVPXShims", dependencies: ["CVPX"]),
    .target(name: "COpenSSLShims", dependencies: ["COpenSSL"]),
    .target(name: "CFFmpegShims", dependencies: ["CFFmpeg"]),
    .target(name: "CSCTPShims", dependencies: ["CSCTP"]),

    // The lower floor: values and machines, without sockets, threads, clocks or randomness.
    room("MediaTime", []),
    room("XMPPCore", ["MediaTime", "CExpat", "CSodium", crypto]),
    room("JingleCore", ["XMPPCore", "MediaTime"]),
    room("RTPCore", ["MediaTime"]),

    // Machinery: each C library or event loop has one owner.
    room("XMPPNetworking", ["XMPPCore", "MediaTime", "CCares", logging] + nio),
    room(
      "MediaEngine",
      ["RTPCore", "MediaTime", "CNice", "CNiceShims", "COpenSSL", "COpenSSLShims", "CSCTP", "CSCTPShims", "CSRTP"]),
    room("MediaCodecs", ["MediaTime", "COpus", "COpusShims", "CSpanDSP", "CSpeexDSP", "CVPX", "CVPXShims"]),
    room("MediaFiles", ["MediaCodecs", "MediaTime", "CFFmpeg", "CFFmpegShims"]),

    // The roof.
    room(
      "Carillon",
      [
        "MediaTime", "XMPPCore", "JingleCore", "RTPCore", "XMPPNetworking", "MediaEngine", "MediaCodecs", "CGlibcShims",
        logging, .product(name: "NIOCore", package: "swift-nio"),
      ]),
    room("CarillonTesting", ["Carillon", "MediaEngine", "MediaTime", "XMPPCore", "JingleCore", "RTPCore"]),
    .executableTarget(
      name: "CarillonCLI",
      dependencies: [
        "Carillon", "CarillonTesting", "MediaCodecs", "MediaEngine", "MediaFiles", "MediaTime", "RTPCore", logging,
        "JingleCore", "XMPPCore",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),

    // Tests: one target a room; IntegrationTests run the built command against Prosody, ejabberd and coturn; TestSupport
    // has what several of them need.
    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
    tests("HouseTests", []),
    tests("MediaTimeTests", ["MediaTime"]),
    tests("XMPPCoreTests", ["XMPPCore", "MediaTime"]),
    tests("JingleCoreTests", ["JingleCore", "XMPPCore", "MediaTime"]),
    tests("RTPCoreTests", ["RTPCore", "MediaTime"]),
    tests("XMPPNetworkingTests", ["XMPPNetworking", "XMPPCore", "MediaTime", "TestSupport", logging] + nio),
    tests("MediaEngineTests", ["MediaEngine", "RTPCore", "MediaTime", "COpenSSL", "CSCTP"]),
    tests("MediaCodecsTests", ["MediaCodecs", "MediaTime", "TestSupport"]),
    tests("MediaFilesTests", ["MediaFiles", "MediaCodecs", "MediaTime", "TestSupport"]),
    tests(
      "CarillonTests",
      [
        "Carillon", "CarillonTesting", "MediaEngine", "MediaCodecs", "JingleCore", "XMPPCore", "RTPCore", "MediaTime",
        "XMPPNetworking", "TestSupport", logging,
      ] + nio),
    tests("CarillonCLITests", ["CarillonCLI", "Carillon", "JingleCore", "MediaCodecs", "MediaFiles"]),
    tests("IntegrationTests", ["Carillon"]),
  ],
  swiftLanguageModes: [.v6]
)
