// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletLaunch
import SwiftletTransport
import Testing

@Suite struct AgentJobTests {
    private func made(_ arguments: [String], input: String = "") -> AgentJob? {
        AgentJob(arguments, input: { input })
    }

    @Test func itsPlaceAndItsStep() throws {
        let one = try #require(made(["--tickets", "/d", "worker3.1", "--step", "srun", "--ntasks=2"]))
        #expect(one.place == "worker3")
        #expect(one.step == ["srun", "--ntasks=2"])
        let element = try #require(made(["--tickets", "/d", "--element", "1"], input: "worker0.1\nworker1.2\n"))
        #expect(element.place == "worker1")
        #expect(element.step == [])
    }

    @Test(arguments: [
        [], ["--tickets"], ["--tickets", "/d"], ["--tickets", "/d", "--element"], ["--tickets", "/d", "--element", "2"],
        ["--tickets", "/d", "--element", "x"], ["--tickets", "/d", "name"],
    ])
    func whatIsNoCommandLine(_ arguments: [String]) {
        #expect(made(arguments, input: "worker0.1\nworker1.1\n") == nil)
    }

    @Test func aTicketIsTakenOnce() throws {
        var template = Array("/tmp/swiftlet-XXXXXX".utf8CString)
        #expect(mkdtemp(&template) != nil)
        let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { rmdir(directory) }
        let line = "swiftlet-ticket \(String(repeating: "ab", count: 16)) \(String(repeating: "cd", count: 32)) tcp:9:127.0.0.1\n"
        let descriptor = open("\(directory)/worker0.1", O_WRONLY | O_CREAT | O_EXCL, 0o600)
        #expect(write(descriptor, line, line.utf8.count) == line.utf8.count)
        close(descriptor)
        let job = try #require(made(["--tickets", directory, "worker0.1"]))
        #expect(job.takeTicket()?.line == line)
        #expect(job.takeTicket() == nil)
    }
}
