// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "FileDrop",
  dependencies: [.package(name: "carillon", path: "../..")],
  targets: [
    .executableTarget(name: "FileDrop", dependencies: [.product(name: "Carillon", package: "carillon")])
  ],
  swiftLanguageModes: [.v6]
)
