// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "EchoCall",
  dependencies: [.package(name: "carillon", path: "../..")],
  targets: [
    .executableTarget(name: "EchoCall", dependencies: [.product(name: "Carillon", package: "carillon")])
  ],
  swiftLanguageModes: [.v6]
)
