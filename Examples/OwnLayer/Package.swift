// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "OwnLayer",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "swift-cabs", path: "../..")],
    targets: [
        .executableTarget(name: "OwnLayer", dependencies: [.product(name: "CABSTraining", package: "swift-cabs")])
    ])
