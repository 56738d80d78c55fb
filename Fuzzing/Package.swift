// swift-tools-version: 6.2
import PackageDescription

// Built by `make fuzz` with -sanitize=fuzzer, which brings its own main function.
let package = Package(
    name: "fuzzing",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "swift-cabs", path: "..")],
    targets: [
        .executableTarget(
            name: "FuzzReaders", dependencies: [.product(name: "CABSTraining", package: "swift-cabs")],
            swiftSettings: [.unsafeFlags(["-parse-as-library"])],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])])
    ],
    swiftLanguageModes: [.v6]
)
