import Testing

@testable import JSON

/// The text of f32 numbers compared with the standard library's `Float.description`.
///
/// All 2^31 positive floats were compared once. These tests compare every exponent with its smallest, middle and largest
/// fractions and a random sample, and numbers near powers of ten.
@Suite struct ShortestFloatTests {
    @Test func everyExponent() {
        var floats: [Float] = []
        for exponent in UInt32(0)..<255 {
            let fractions: [UInt32] = [0, 1, 2, 7, 8, 0x3F_FFFF, 0x40_0000, 0x7F_FFFE, 0x7F_FFFF]
            floats += fractions.map { Float(bitPattern: exponent << 23 | $0) }
            var state = exponent &* 2_654_435_761 | 1
            for _ in 0..<100 {
                state = state &* 1_664_525 &+ 1_013_904_223
                floats.append(Float(bitPattern: exponent << 23 | state >> 9))
            }
        }
        check(floats)
    }

    @Test func roundNumbers() {
        let powers = (-44...38).compactMap { Float("1e\($0)") }
        check(powers.flatMap { [$0, $0.nextUp, $0.nextDown, $0 * 3, $0 * 5] }.filter(\.isFinite))
        check(
            (0...3000).map { Float($0) } + (0...3000).map { Float($0) / 1000 } + [16_777_216, 16_777_218, 99_999_992])
    }

    private func check(_ floats: [Float]) {
        let both = floats + floats.map { -$0 }
        var writer = JSONWriter()
        writer.floats(both)
        let texts = String(decoding: writer.bytes, as: UTF8.self).dropFirst().dropLast().split(separator: ",")
        #expect(texts.count == both.count)
        for (text, float) in zip(texts, both) where text != float.description {
            Issue.record("\(text) for \(float)")
        }
    }
}

/// Reading of arrays of numbers that are packed as f32.
@Suite struct PackedNumbersTests {
    /// Decimals at and near the midpoint of two floats, long decimals, and subnormals.
    ///
    /// Tests/Reference/json_floats.py computes the expected bits from exact fractions.
    @Test func floatsAreCorrectlyRounded() throws {
        let rows = try #require(JSONValue(parsing: referenceFile("json_floats.json")).array)
        #expect(rows.count >= 2_000)
        for row in rows {
            let text = try #require(row.array?.first?.string)
            let bits = try #require(row.array?.last?.string.flatMap { UInt32($0, radix: 16) })
            guard case .numbers(let numbers) = try Self.parse("[\(text),-\(text)]") else {
                Issue.record("\(text) was not packed")
                continue
            }
            #expect(numbers.floats.map(\.bitPattern) == [bits, bits | 0x8000_0000], "\(text)")
        }
    }

    @Test(
        arguments: [
            ("[1,2,3]", [1, 2, 3], true), ("[ -0 , 16777216\n]", [-0.0, 16_777_216], true),
            ("[16777217]", [16_777_216], false),
            ("[1,2.0]", [1, 2], false), ("[1e2]", [100], false), ("[12345678901234567890]", [1.2345679e19], false),
            ("[0.123456789012345678901234567890]", [0.12345679], false), ("[00000000.5]", nil, false),
            ("[0.00000000000000000001]", [1e-20], false), ("[12345678.12345678]", [12_345_678], false),
            ("[1,null]", nil, false), ("[]", nil, false), ("[1e39]", nil, false), ("[1,2", nil, false),
            ("[1,]", nil, false), ("[1 2]", nil, false), ("[1,[2]]", nil, false), ("[1,\"2\"]", nil, false),
            ("[12,345678,1]", [12, 345_678, 1], true), ("[1234567:]", nil, false),
        ] as [(String, [Float]?, Bool)])
    func packs(text: String, floats: [Float]?, areIntegers: Bool) throws {
        let value = try? Self.parse(text)
        // Packing changes neither which texts are valid nor their numbers.
        #expect(value.map(Self.written) == (try? JSONValue(parsing: Array(text.utf8))).map(Self.written))
        guard case .numbers(let numbers)? = value else {
            #expect(floats == nil)
            return
        }
        #expect(numbers.floats == floats && numbers.areIntegers == areIntegers)
        let unpacked = try JSONValue(parsing: Array(text.utf8))
        #expect(numbers.values == unpacked.array && value?.array == unpacked.array)
        for elements in [value?.elements, unpacked.elements] {
            #expect(elements.map { Array($0) } == unpacked.array && elements?.count == floats?.count)
        }
    }

    @Test func whatIsWrittenIsWhatWasRead() throws {
        let text = #"{"a":[[0.1,-2.5],[3,9007199254740993]],"b":[1]}"#
        #expect(try Self.written(Self.parse(text)) == text)
    }

    private static func written(_ value: JSONValue) -> String {
        var writer = JSONWriter()
        writer.value(value)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private static func parse(_ text: String) throws -> JSONValue {
        try JSONValue(parsing: Array(text.utf8), packingNumbers: true)
    }
}
