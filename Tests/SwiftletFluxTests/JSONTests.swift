// SPDX-License-Identifier: BSD-3-Clause
import SwiftletFlux
import Testing

@Suite struct JSONTests {
    @Test(arguments: [
        #"{"a":[1,-2,3.5,true,false,null],"b":{"c":"ä\"\\\u0001"}}"#, "[]", "{}", #""""#, "9223372036854775807",
    ])
    func whatIsWrittenIsWhatWasRead(_ text: String) throws {
        let value = try JSON(parsing: text)
        #expect(try JSON(parsing: value.text) == value)
        #expect(value.text == text)
    }

    @Test func escapesAndBlanks() throws {
        let value = try JSON(parsing: " { \"k\" : \"\\u00e4\\ud83d\\ude00\\n\\/\" , \"n\" : 1e3 } \n")
        #expect(value["k"]?.string == "ä😀\n/")
        #expect(value["n"]?.integer == 1000)
    }

    @Test(arguments: [
        "", "{", "[1,", "{\"a\"}", "{\"a\":1,}", "nul", "\"abc", "\"\\q\"", "\"\\ud800\"", "\"\\u12\"", "1 2", "--1", "\"a\nb\"",
        String(repeating: "[", count: 100_000), "123456789012345678901234567890123456789012345678901234567890123456789",
    ])
    func whatIsNoJSONIsRefused(_ text: String) {
        #expect(throws: JSONError.self) { try JSON(parsing: text) }
    }

    @Test func everyCutOfAMessageIsRefused() throws {
        let text = #"{"id":17,"events":[{"timestamp":1.5,"name":"finish","context":{"status":0}}]}"#
        for length in 0..<text.utf8.count {
            #expect(throws: JSONError.self) { try JSON(parsing: Array(text.utf8.prefix(length))) }
        }
    }
}
