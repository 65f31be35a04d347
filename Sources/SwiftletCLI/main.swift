// SPDX-License-Identifier: BSD-3-Clause
import SwiftletEngine

SwiftletProgram.run(Array(CommandLine.arguments))
