// swift-tools-version: 6.2
// SPDX-License-Identifier: BSD-3-Clause
import PackageDescription

let package = Package(
    name: "Sweep",
    dependencies: [.package(path: "../swiftlet")],
    targets: [.executableTarget(name: "Sweep", dependencies: [.product(name: "Swiftlet", package: "swiftlet")])]
)
