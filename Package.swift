// swift-tools-version: 6.2
// SPDX-License-Identifier: BSD-3-Clause
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),  // SE-0335
    .enableUpcomingFeature("InternalImportsByDefault"),  // SE-0409
    .enableUpcomingFeature("MemberImportVisibility"),  // SE-0444
]

/// A room of the house: what it may import is what is listed here (docs/architecture.md).
func room(_ name: String, imports: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: imports, swiftSettings: settings)
}

let package = Package(
    name: "swiftlet",
    products: [
        .library(name: "Swiftlet", targets: ["Swiftlet"]),
        .executable(name: "swiftlet", targets: ["SwiftletCLI"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2")
    ],
    targets: [
        .target(name: "CSwiftlet"),
        room("SwiftletModel"),
        room("SwiftletScheduler", imports: ["SwiftletModel"]),
        room("SwiftletWire", imports: ["SwiftletModel"]),
        room(
            "SwiftletTransport",
            imports: ["SwiftletModel", "SwiftletWire", "CSwiftlet", .product(name: "Crypto", package: "swift-crypto")]),
        room("SwiftletFlux"),
        room("SwiftletLaunch", imports: ["SwiftletModel", "SwiftletWire", "SwiftletTransport", "SwiftletFlux", "CSwiftlet"]),
        room("SwiftletStore", imports: ["SwiftletModel", "CSwiftlet", .product(name: "Crypto", package: "swift-crypto")]),
        room("SwiftletCluster", imports: ["SwiftletModel"]),
        room(
            "SwiftletEngine",
            imports: [
                "SwiftletModel", "SwiftletScheduler", "SwiftletWire", "SwiftletTransport", "SwiftletLaunch", "SwiftletStore",
                "SwiftletCluster", "SwiftletFlux", "CSwiftlet",
            ]),
        room("Swiftlet", imports: ["SwiftletEngine", "SwiftletTransport", "SwiftletWire"]),
        .executableTarget(name: "SwiftletCLI", dependencies: ["SwiftletEngine"], swiftSettings: settings),
        .executableTarget(
            name: "ParameterSweep", dependencies: ["Swiftlet"], path: "examples/swift/ParameterSweep", swiftSettings: settings),
        .testTarget(name: "SwiftletSchedulerTests", dependencies: ["SwiftletScheduler"], swiftSettings: settings),
        .testTarget(name: "SwiftletStoreTests", dependencies: ["SwiftletStore"], swiftSettings: settings),
        .testTarget(name: "SwiftletClusterTests", dependencies: ["SwiftletCluster"], swiftSettings: settings),
        .testTarget(name: "SwiftletWireTests", dependencies: ["SwiftletWire"], swiftSettings: settings),
        .testTarget(name: "SwiftletTransportTests", dependencies: ["SwiftletTransport", "CSwiftlet"], swiftSettings: settings),
        .testTarget(name: "SwiftletLaunchTests", dependencies: ["SwiftletLaunch"], swiftSettings: settings),
        .testTarget(
            name: "SwiftletFluxTests", dependencies: ["SwiftletFlux", "SwiftletLaunch", "SwiftletTransport", "CSwiftlet"],
            swiftSettings: settings),
        .testTarget(name: "SwiftletEngineTests", dependencies: ["SwiftletEngine"], swiftSettings: settings),
        .executableTarget(
            name: "TestProgram", dependencies: ["Swiftlet"], path: "Tests/TestProgram", swiftSettings: settings),
        .testTarget(
            name: "SwiftletTests", dependencies: ["Swiftlet", "TestProgram", "ParameterSweep"], swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
