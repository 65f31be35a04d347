// SPDX-License-Identifier: BSD-3-Clause
import Testing

@testable import Swiftlet

@Suite struct CodingTests {
    private func roundTrip<T: Codable>(_ value: T) throws -> T {
        try TaskCoding.decode(T.self, TaskCoding.encode(value))
    }

    private func same<T: Codable & Equatable>(_ value: T, at location: SourceLocation = #_sourceLocation) throws {
        #expect(try roundTrip(value) == value, sourceLocation: location)
    }

    struct Everything: Codable, Equatable {
        enum Shape: Codable, Equatable {
            case point
            case circle(radius: Double)
            indirect case pair(Shape, Shape)
        }
        var flag = true
        var integers: [Int] = [.min, -1, 0, 23, 24, 255, 256, 65_535, 65_536, .max]
        var small: Int8 = -128
        var large = UInt64.max
        var text = "ein Text mit ß und 🦜"
        var empty = ""
        var none: Int?
        var some: Int? = 5
        var nested: [String: [Int?]] = ["a": [1, nil], "": []]
        var byNumber: [Int: String] = [3: "c", -1: "m"]
        var shapes: [Shape] = [.point, .circle(radius: .infinity), .pair(.point, .circle(radius: -0.0))]
        var numbers: [Double] = [.pi, .leastNonzeroMagnitude, -.infinity]
        var singles: [Float] = [1.5, -2]
        var bytes: [UInt8] = Array(0...255)
        var matrix: [[Double]] = [[1, 2], [], [3]]
        var range = 3..<9
        var set: Set<Int> = [1, 2, 3]
    }

    @Test func everyKindOfValueComesBack() throws {
        try same(Everything())
        try same([Everything(), Everything()])
        try same(Optional<Int>.none)
        try same([Optional<Double>.some(1)])
        try same("text")
        try same(Int.min)
        #expect(try roundTrip(Double.nan).isNaN)
        #expect(try roundTrip([Float.nan])[0].isNaN)
    }

    class Base: Codable {
        var one = 1
    }

    final class Derived: Base {
        var two = 2
        enum Keys: String, CodingKey { case two, inner }
        enum Inner: String, CodingKey { case list }
        override init() { super.init() }
        required init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Keys.self)
            two = try container.decode(Int.self, forKey: .two)
            let inner = try container.nestedContainer(keyedBy: Inner.self, forKey: .inner)
            var list = try inner.nestedUnkeyedContainer(forKey: .list)
            var sum = 0
            while !list.isAtEnd { sum += try list.decode(Int.self) }
            #expect(sum == 6)
            try super.init(from: try container.superDecoder())
        }
        override func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Keys.self)
            var inner = container.nestedContainer(keyedBy: Inner.self, forKey: .inner)
            var list = inner.nestedUnkeyedContainer(forKey: .list)
            try list.encode(1)
            try container.encode(two, forKey: .two)
            try list.encode(2)  // containers that stay open while others are written
            try super.encode(to: container.superEncoder())
            try list.encode(3)
        }
    }

    @Test func classesAndNestedContainersComeBack() throws {
        let value = Derived()
        (value.one, value.two) = (7, 8)
        let back = try roundTrip(value)
        #expect((back.one, back.two) == (7, 8))
    }

    @Test func numbersOfOneKindAreReadAsAnotherWhereTheyFit() throws {
        #expect(try TaskCoding.decode([Float].self, TaskCoding.encode([1.5, 2.5])) == [1.5, 2.5])
        #expect(try TaskCoding.decode([Double].self, TaskCoding.encode([1, 2])) == [1, 2])
        #expect(try TaskCoding.decode([UInt8].self, TaskCoding.encode([1, 2])) == [1, 2])
        #expect(try TaskCoding.decode(Double.self, TaskCoding.encode(3)) == 3)
        #expect(throws: TaskError.self) { try TaskCoding.decode([UInt8].self, TaskCoding.encode([256])) }
        #expect(throws: TaskError.self) { try TaskCoding.decode(Int.self, TaskCoding.encode(1.5)) }
    }

    @Test func anErrorNamesThePlace() throws {
        struct Inner: Codable { let x: String }
        struct Outer: Codable { let list: [Inner] }
        struct WrongInner: Codable { let x: Int }
        struct WrongOuter: Codable { let list: [WrongInner] }
        let bytes = try TaskCoding.encode(WrongOuter(list: [WrongInner(x: 1)]))
        let error = #expect(throws: TaskError.self) { try TaskCoding.decode(Outer.self, bytes) }
        #expect(error?.description == "Outer cannot be decoded: at list.0.x: expected String, found an integer")
    }

    @Test func hostileBytesAreErrors() throws {
        let whole = try TaskCoding.encode(Everything())
        for length in 0..<whole.count {
            #expect(throws: TaskError.self) { try TaskCoding.decode(Everything.self, Array(whole[..<length])) }
        }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            var damaged = whole
            for _ in 0..<4 { damaged[Int.random(in: 0..<damaged.count, using: &random)] = .random(in: 0...255, using: &random) }
            _ = try? TaskCoding.decode(Everything.self, damaged)
        }
        let deep = [UInt8](repeating: CBOR.openArray, count: 200_000)
        #expect(throws: TaskError.self) { try TaskCoding.decode([String: Int].self, [CBOR.openMap, 0x61, 0x61] + deep) }
    }
}
