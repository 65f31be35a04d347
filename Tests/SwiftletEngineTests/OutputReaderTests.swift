// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletTransport
import Testing

@testable import SwiftletEngine

@Suite struct OutputReaderTests {
    private final class Collected { var lines: [String] = [] }

    private func make() throws -> (reader: OutputReader, writing: Int32, collected: Collected) {
        let (reading, writing) = try makePipe()
        let reader = OutputReader(descriptor: reading, keepsTail: true, loop: EventLoop())
        let collected = Collected()
        reader.onOutput = { collected.lines.append(String(decoding: $0, as: UTF8.self)) }
        return (reader, writing, collected)
    }

    private func print(_ text: String, to descriptor: Int32) { _ = text.withCString { write(descriptor, $0, strlen($0)) } }

    @Test func wholeLinesArePassedOnAndTheRestWaits() throws {
        let (reader, writing, collected) = try make()
        print("one\ntwo\nthr", to: writing)
        reader.ready(.read)
        #expect(collected.lines == ["one\ntwo\n"])
        print("ee\n", to: writing)
        reader.ready(.read)
        #expect(collected.lines == ["one\ntwo\n", "three\n"])
    }

    @Test func aProgressBarIsPassedOnAtEachCarriageReturn() throws {
        let (reader, writing, collected) = try make()
        print("10 %\r20 %", to: writing)
        reader.ready(.read)
        #expect(collected.lines == ["10 %\r"])
    }

    @Test func anUnfinishedLineIsPassedOnAtTheEnd() throws {
        let (reader, writing, collected) = try make()
        print("no newline", to: writing)
        closeDescriptor(writing)
        reader.finish()
        #expect(collected.lines == ["no newline"])
    }

    @Test func theTailKeepsTheLastFourKilobytes() throws {
        let (reader, writing, _) = try make()
        print(String(repeating: "x", count: 5000) + "end\n", to: writing)
        reader.ready(.read)
        #expect(reader.tail.count == 4096)
        #expect(String(decoding: reader.tail, as: UTF8.self).hasSuffix("end\n"))
        reader.startTail(hadCall: false)
        #expect(reader.tail.isEmpty)
    }

    @Test func theLineThatSaysWhyItStoppedStandsBeforeTheTail() throws {
        let (reader, writing, _) = try make()
        print("not a Fatal error: this\nA.swift:3: Fatal er", to: writing)
        reader.ready(.read)
        print("ror: why\nFatal error: later\n", to: writing)
        reader.ready(.read)
        #expect(reader.lastWords == reader.tail)
        print(String(repeating: "x", count: 5000), to: writing)
        reader.ready(.read)
        #expect(reader.lastWords == Array("A.swift:3: Fatal error: why\n…\n".utf8) + reader.tail)
        reader.startTail(hadCall: false)
        #expect(reader.lastWords.isEmpty)
    }

    @Test func theTailKeepsWhatTheNextCallOfABusyWorkerMayHavePrinted() throws {
        let (reader, writing, _) = try make()
        print("of either call\n", to: writing)
        reader.ready(.read)
        reader.startTail(hadCall: true)
        #expect(String(decoding: reader.tail, as: UTF8.self) == "of either call\n")
        reader.startTail(hadCall: false)
        #expect(reader.tail.isEmpty)
    }
}
