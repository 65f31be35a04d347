// SPDX-License-Identifier: BSD-3-Clause
import SwiftletWire
import Testing

@testable import SwiftletLaunch

@Suite struct AgentPlaceTests {
    @Test func processorsOfOneCoreStayTogether() {
        // Eight processors, two on each core; the launcher took one of them away.
        let cores = AgentPlace.cores("0-1,3-7") { processor in "\(processor % 4),\(processor % 4 + 4)\n" }
        #expect(cores == [[0, 4], [1, 5], [3, 7], [6]])
    }

    @Test func whereTheSystemDoesNotTellEachProcessorIsACore() {
        #expect(AgentPlace.cores("2,9") { _ in nil } == [[2], [9]])
        #expect(AgentPlace.cores("") { _ in nil } == [])
    }

    @Test func gpusAreWhatTheVariableSays() {
        #expect(AgentPlace.gpus("CUDA_VISIBLE_DEVICES=3,GPU-ab")?.ids == ["3", "GPU-ab"])
        #expect(AgentPlace.gpus("CUDA_VISIBLE_DEVICES=-1") == nil)
        #expect(AgentPlace.gpus("CUDA_VISIBLE_DEVICES=") == nil)
    }

    @Test func placesAreEqualPartsOrNone() {
        var place = AgentPlace()
        place.cores = [[0, 4], [1, 5], [2, 6], [3, 7]]
        place.gpuVariable = "CUDA_VISIBLE_DEVICES"
        place.gpus = ["0", "1"]
        #expect(place.cores(of: 1, count: 2, of: 2) == [[2, 6], [3, 7]])
        #expect(place.gpus(of: 1, count: 1, of: 2) == ["1"])
        #expect(place.gpus(of: 0, count: 0, of: 2) == nil)
        #expect(place.cores(of: 0, count: 2, of: 4) == nil)
        #expect(place.cores(of: 2, count: 2, of: 2) == nil)
    }

    @Test func itTravels() {
        var place = AgentPlace()
        place.cores = [[0, 64], [1]]
        var attributes = Attributes()
        place.write(to: &attributes)
        #expect(AgentPlace(attributes) == place)
        place.gpuVariable = "ROCR_VISIBLE_DEVICES"
        place.gpus = ["0"]
        place.write(to: &attributes)
        #expect(AgentPlace(attributes) == place)
    }

    @Test func thisProcessHasAtLeastOneCore() {
        #expect(!AgentPlace.own.cores.isEmpty)
    }
}
