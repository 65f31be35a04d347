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
    traits: [
        .trait(name: "Logging", description: "LoggingObserver: tasks in swift-log"),
        .trait(name: "Metrics", description: "MetricsObserver: tasks in swift-metrics"),
        .trait(name: "Tracing", description: "TracingObserver: tasks in swift-distributed-tracing"),
        .trait(name: "ServiceLifecycle", description: "ExecutorService: an executor as a service of swift-service-lifecycle"),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.5.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing.git", from: "1.2.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.6.0"),
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
        room(
            "Swiftlet",
            imports: [
                "SwiftletModel", "SwiftletEngine", "SwiftletLaunch", "SwiftletStore", "SwiftletTransport", "SwiftletWire",
                "CSwiftlet",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log", condition: .when(traits: ["Logging"])),
                .product(name: "Metrics", package: "swift-metrics", condition: .when(traits: ["Metrics"])),
                .product(name: "CoreMetrics", package: "swift-metrics", condition: .when(traits: ["Metrics"])),
                .product(name: "Tracing", package: "swift-distributed-tracing", condition: .when(traits: ["Tracing"])),
                .product(
                    name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: .when(traits: ["ServiceLifecycle"])),
            ]),
        .executableTarget(name: "SwiftletCLI", dependencies: ["SwiftletEngine"], swiftSettings: settings),
        .executableTarget(
            name: "ParameterSweep", dependencies: ["Swiftlet"], path: "examples/swift/ParameterSweep", swiftSettings: settings),
        .executableTarget(
            name: "DependencyGraph", dependencies: ["Swiftlet"], path: "examples/swift/DependencyGraph", swiftSettings: settings),
        .executableTarget(
            name: "CallingPython", dependencies: ["Swiftlet"], path: "examples/swift/CallingPython", swiftSettings: settings),
        .executableTarget(name: "Ranks", dependencies: ["Swiftlet"], path: "examples/swift/Ranks", swiftSettings: settings),
        .executableTarget(
            name: "SwiftBenchmark", dependencies: ["Swiftlet"], path: "benchmarks/swift", swiftSettings: settings),
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
        .executableTarget(
            name: "CarelessProgram", dependencies: ["Swiftlet"], path: "Tests/CarelessProgram", swiftSettings: settings),
        .testTarget(
            name: "SwiftletTests",
            dependencies: [
                "Swiftlet", "TestProgram", "CarelessProgram", "ParameterSweep", "DependencyGraph", "CallingPython", "Ranks",
            ],
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
