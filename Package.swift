// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "swift-cabs",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "CABS", targets: ["CABS"]),
        .library(name: "CABSTraining", targets: ["CABSTraining"]),
        .executable(name: "cabs", targets: ["CABSCommand"]),
        .executable(name: "cabs-export", targets: ["CABSExportCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.30.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
    ],
    targets: [
        // Its square roots and roundings are calls of libm, which nothing else links for a program that depends on it alone.
        .target(name: "CABS", linkerSettings: [.linkedLibrary("m", .when(platforms: [.linux]))]),
        .systemLibrary(name: "CCrypto", providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
        .systemLibrary(
            name: "CDNN", providers: [.apt(["libdnnl-dev"]), .brew(["onednn"])]),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CMatio", providers: [.apt(["libmatio-dev"]), .brew(["libmatio"])]),
        .systemLibrary(name: "CChecksum", providers: [.apt(["libisal-dev"]), .brew(["isa-l"])]),
        .systemLibrary(name: "CZip", providers: [.apt(["libzip-dev"]), .brew(["libzip"])]),
        .target(
            name: "CPicture",
            linkerSettings: [.linkedLibrary("png"), .linkedLibrary("turbojpeg"), .linkedLibrary("exif")]),
        .target(name: "CDigits", exclude: ["Resources"]),
        .target(name: "CMPI"),
        .target(name: "CThreads"),
        .target(name: "CVectorMath"),
        .target(name: "CABSExamples"),
        .target(name: "CABSRanks", dependencies: ["CMPI"]),
        .target(name: "CABSPrimitives", dependencies: ["CABSExamples", "CDNN", "CVectorMath"]),
        .target(
            name: "CABSNetwork",
            dependencies: ["CABS", "CABSExamples", "CABSPrimitives", "CABSRanks", "CThreads", "CVectorMath"]),
        .target(
            name: "CABSData",
            dependencies: ["CABSExamples", "CCrypto", "CDigits", "CMatio", "CPicture", "CZip", "CZlib"]),
        .target(
            name: "CABSTraining",
            dependencies: [
                "CABS", "CABSExamples", "CABSNetwork", "CABSPrimitives", "CABSRanks", "CABSData", "CZlib",
                .product(name: "Yams", package: "Yams"),
            ]),
        .target(name: "CABSReport", dependencies: ["CABS", "CABSTraining"]),
        .target(name: "CABSTerminal", dependencies: ["CABSTraining"]),
        .executableTarget(
            name: "CABSCommand",
            dependencies: [
                "CABSRanks", "CABSReport", "CABSTerminal", "CABSTraining",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        // What needs protocol buffers, whose library takes a minute to build: `cabs export` hands over to it.
        .target(
            name: "CABSExport",
            dependencies: ["CABSTraining", "CChecksum", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
            exclude: ["Schemas"]),
        .executableTarget(
            name: "CABSExportCommand",
            dependencies: [
                "CABSExport", "CABSTerminal", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .testTarget(name: "CABSTests", dependencies: ["CABS"]),
        .testTarget(name: "CABSRanksTests", dependencies: ["CABSRanks"]),
        .testTarget(
            name: "CABSNetworkTests", dependencies: ["CABSExamples", "CABSNetwork", "CABSPrimitives", "CABSRanks"],
            resources: [.copy("Resources")]),
        .testTarget(
            name: "CABSDataTests", dependencies: ["CABSData", "CABSExamples"], resources: [.copy("Resources")]),
        .testTarget(name: "CABSTrainingTests", dependencies: ["CABSTraining"], resources: [.copy("Resources")]),
        .testTarget(name: "CABSReportTests", dependencies: ["CABSReport", "CABSTraining"]),
        .testTarget(name: "CABSExportTests", dependencies: ["CABSExport", "CABSNetwork", "CABSTraining"]),
        .testTarget(
            name: "CABSCommandTests", dependencies: ["CABSCommand", "CABSExportCommand", "CABSTraining"],
            exclude: ["Resources"]),
    ],
    swiftLanguageModes: [.v6]
)

// What `make docs` needs, and nobody who builds the package.
if Context.environment["CABS_DOCS"] != nil {
    package.dependencies.append(.package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.4.0"))
}

// The engine alone, where memory is handled by hand: for its tests under AddressSanitizer nothing else is built. See scripts/sanitize.
if Context.environment["CABS_ENGINE_ALONE"] != nil {
    let engine: Set = [
        "CABS", "CABSExamples", "CABSPrimitives", "CABSRanks", "CDNN", "CMPI", "CThreads", "CVectorMath", "CABSNetwork",
        "CABSNetworkTests",
    ]
    package.targets.removeAll { !engine.contains($0.name) }
    package.products = [.library(name: "CABS", targets: ["CABS"])]
    package.dependencies = []
}

// What tests spend their time in is optimised for them, with the assertions and preconditions of a debug build; of the rest the optimiser
// would take longer than it saves. See scripts/swift-for-tests.
if Context.environment["CABS_OPTIMISED"] != nil {
    let busy: Set = [
        "CABS", "CABSData", "CABSExamples", "CABSNetwork", "CABSPrimitives", "CABSRanks", "CABSTests", "CPicture",
        "CThreads", "CVectorMath",
    ]
    for target in package.targets where busy.contains(target.name) {
        target.cSettings = [.unsafeFlags(["-O2"])]
        target.swiftSettings = [.unsafeFlags(["-O", "-assert-config", "Debug"])]
    }
}
