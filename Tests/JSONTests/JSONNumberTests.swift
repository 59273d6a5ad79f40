import Glibc
import Testing

@testable import JSON

/// Reading and writing of doubles, f32 numbers, integers and strings.
@Suite struct JSONNumberTests {
    /// Halfway cases, subnormals, long and random decimals. Tests/Reference/tokenizers_doubles.py computes the expected
    /// bits with Python's float().
    @Test func doublesEqualPythons() throws {
        let bytes = try referenceFile("json_doubles.json")
        let rows = try #require(JSONValue(parsing: bytes).array)
        #expect(rows.count >= 2_000)
        for row in rows {
            let text = try #require(row.array?.first?.string)
            let hex = try #require(row.array?.last?.string)
            let bits = try #require(UInt64(hex, radix: 16))
            let read = try JSONValue(parsing: Array(text.utf8))
            #expect(read == .number(Double(bitPattern: bits)) && read.double?.bitPattern == bits, "\(text)")
        }
    }

    /// Numbers that are written and read again keep their bits.
    @Test func writtenNumbersReadBack() throws {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
        var floats: [Float] = [
            0, 1, 0.1, 16_777_216, .leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude,
            -.greatestFiniteMagnitude,
        ]
        var doubles: [Double] = [
            0, 1, 0.1, 1e16, 1e-5, .leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude,
            -123456789.125,
        ]
        floats.append(-Float(0))
        doubles.append(-Double(0))
        while floats.count < 3_000 {
            let float = Float(bitPattern: UInt32(truncatingIfNeeded: next()))
            if float.isFinite { floats.append(float) }
            let double = Double(bitPattern: next())
            if double.isFinite { doubles.append(double) }
        }
        var writer = JSONWriter()
        writer.array { writer in
            writer.floats(floats)
            writer.array { writer in for double in doubles { writer.double(double) } }
        }
        let read = try #require(JSONValue(parsing: writer.bytes).array)
        let readFloats = try #require(read[0].array).map { Float($0.double ?? .nan).bitPattern }
        let readDoubles = try #require(read[1].array).map { ($0.double ?? .nan).bitPattern }
        #expect(readFloats == floats.map(\.bitPattern))
        #expect(readDoubles == doubles.map(\.bitPattern))
    }

    @Test func whatJSONCannotSayIsNull() {
        var writer = JSONWriter()
        writer.array { writer in
            writer.float(.nan)
            writer.double(.infinity)
            writer.float(-.infinity)
            writer.int(.min)
            writer.int(.max)
        }
        #expect(writer.bytes == Array("[null,null,null,-9223372036854775808,9223372036854775807]".utf8))
    }

    @Test func writtenStringsReadBack() throws {
        let scalars = (UInt32(0)..<0x3000).compactMap { Unicode.Scalar($0) }
        let all = String(String.UnicodeScalarView(scalars)) + "😀\u{10FFFF}\u{FEFF}"
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("a\"\n\\")
            writer.string(all)
            writer.key("")
            writer.value(.array([.null, .bool(true), .object(["x": .number(0.5), "y": .string("/")])]))
        }
        let read = try JSONValue(parsing: writer.bytes)
        #expect(read["a\"\n\\"]?.string.map { Array($0.utf8) } == Array(all.utf8))
        #expect(String(decoding: writer.bytes, as: UTF8.self).hasSuffix(#","":[null,true,{"x":0.5,"y":"/"}]}"#))
    }

    @Test(
        arguments: [
            ("2", 2), ("2.0", 2), ("2e0", 2), ("2.5", nil), ("\"2\"", nil), ("1e19", nil), ("-1e3", -1000),
            ("9007199254740993", 9_007_199_254_740_993),
        ] as [(String, Int?)])
    func wholeNumbersHoweverWritten(text: String, int: Int?) throws {
        #expect(try JSONValue(parsing: Array(text.utf8)).int == int)
    }
}

/// Returns the first 4 MiB of a file in Tests/Reference/data, more than any file of these tests has.
func referenceFile(_ name: String) throws -> [UInt8] {
    let tests = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
    let file = try #require(fopen("\(tests)/Reference/data/\(name)", "rb"))
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 4 << 20)
    let count = fread(&bytes, 1, bytes.count, file)
    return Array(bytes.prefix(count))
}
