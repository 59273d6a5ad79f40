import Testing

@testable import JSON

/// Valid and invalid JSON texts, after Nicolas Seriot's JSONTestSuite (https://github.com/nst/JSONTestSuite).
///
/// This parser takes the stricter choice of those that RFC 8259 leaves open. It rejects byte order marks, duplicate names, lone
/// surrogates, more than 64 levels, and numbers outside the range of a double.
@Suite struct JSONParserTests {
    private static func parse(_ text: String) throws(JSONError) -> JSONValue {
        try JSONValue(parsing: Array(text.utf8))
    }

    @Test(
        arguments: [
            ("null", .null), (" true\n", .bool(true)), ("\tfalse\r\n", .bool(false)), ("0", .integer(0)),
            ("-0", .integer(0)),
            ("-1", .integer(-1)), ("123", .integer(123)), ("9223372036854775807", .integer(.max)),
            ("-9223372036854775808", .integer(.min)), ("9223372036854775808", .number(9_223_372_036_854_775_808)),
            ("100000000000000000000", .number(1e20)), ("1.0", .number(1)), ("-0.0", .number(0)), ("1e2", .number(100)),
            ("1E+2", .number(100)), ("1.5e-1", .number(0.15)), ("0e1", .number(0)), ("20e1", .number(200)),
            ("0.1", .number(0.1)), ("1e-400", .number(0)), ("123e65", .number(1.23e67)), ("1e00005", .number(1e5)),
            ("\"\"", .string("")), ("\"a\"", .string("a")), (#""\"\\\/\b\f\n\r\t""#, .string("\"\\/\u{8}\u{C}\n\r\t")),
            (#""\u0041""#, .string("A")), (#""\u0000""#, .string("\0")), (#""\uD834\uDD1E""#, .string("𝄞")),
            (#""\ud834\udd1e!""#, .string("𝄞!")), (#""\uDBFF\uDFFF""#, .string("\u{10FFFF}")),
            (#""\uFFFE""#, .string("\u{FFFE}")),
            (#""\u2028""#, .string("\u{2028}")), ("\"\u{2028}\u{7F}\u{80}\"", .string("\u{2028}\u{7F}\u{80}")),
            ("\"é€😀\"", .string("é€😀")), (#""é\n😀""#, .string("é\n😀")), (#""\\u0041""#, .string("\\u0041")),
            ("[]", .array([])), ("[ ]", .array([])), ("[1,\n2 ]", .array([.integer(1), .integer(2)])),
            ("[[],[[]]]", .array([.array([]), .array([.array([])])])), ("{}", .object([:])), ("{ }", .object([:])),
            ("{\"a\":1}", .object(["a": .integer(1)])), ("{\"\":0}", .object(["": .integer(0)])),
            (" { \"a\" : [ ] , \"b\" : { } } ", .object(["a": .array([]), "b": .object([:])])),
            ("{\"a\":{\"a\":1}}", .object(["a": .object(["a": .integer(1)])])),
        ] as [(String, JSONValue)])
    func accepts(text: String, value: JSONValue) throws {
        #expect(try Self.parse(text) == value)
    }

    @Test(arguments: [
        "", " ", "nul", "NULL", "True", "truee", "true false", "[true", "]", "[", "{", "}", "[}", "{]", "[1", "[1,",
        "[,", "[,1]",
        "[1,]", "[1,,2]", "[1 2]", "[1:2]", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}",
        "{\"a\",1}",
        "{\"a\" 1}", "{a:1}", "{'a':1}", "{1:1}", "{null:1}", "{\"a\":1 \"b\":2}", "{\"a\"::1}", "{\"a\":1}}", "[]]",
        "[] []",
        "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "'a'", "\"", "\"a", "\"\\\"", "\"\\", "\"\\a\"", "\"\\x41\"",
        "\"\\'\"",
        "\"\\u\"", "\"\\u12\"", "\"\\u123g\"", "\"\\U0041\"", "\"\\uD800\"", "\"\\uDC00\"", "\"\\uD800\\u0041\"",
        "\"\\uD800\\uD800\"",
        "\"\\uDC00\\uD800\"", "\"\\uD800\\n\"", "\"\\uD834\\uDd\"", "\"\t\"", "\"\n\"", "\"\0\"", "\"\u{1F}\"",
        "\"a\\n\u{1}\"", "\u{FEFF}1", "\u{FEFF}",
        "1\u{0}", "\u{A0}1", "\u{C}1", "\u{2028}1", "+1", "-", "--1", "- 1", "01", "-01", "00", "0x1", "1.", ".1",
        "-.1", "1.e1", "1e", "1e+",
        "1e-", "1E", "e1", "1e1.5", "1.2.3", "1_000", "1,000", "１", "NaN", "-NaN", "nan", "Infinity", "-Infinity",
        "inf", "1e309",
        "-1e309", "1e99999999999999999999", "1a", "1 a", "/* */1", "1//", "#1", "[1]#", "undefined", "<null>",
        "\\u0041", "*",
    ])
    func refuses(text: String) {
        let error = #expect(throws: JSONError.self) { try Self.parse(text) }
        #expect((0...text.utf8.count).contains(error?.offset ?? -1))
    }

    /// Invalid UTF-8 in strings, in names and outside of both.
    ///
    /// The bytes are stray or missing continuation bytes, overlong forms, surrogates, and code points above U+10FFFF.
    @Test(
        arguments: [
            [0x80], [0xFF], [0xFE], [0xC3], [0xC3, 0x28], [0xC0, 0x80], [0xC1, 0xBF], [0xE2, 0x82], [0xE0, 0x80, 0x80],
            [0xED, 0xA0, 0x80],
            [0xED, 0xBF, 0xBF], [0xF0, 0x9F, 0x98], [0xF0, 0x80, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80],
            [0xF8, 0x88, 0x80, 0x80, 0x80],
        ] as [[UInt8]])
    func refusesInvalidUTF8(bytes: [UInt8]) {
        let quote = UInt8(ascii: "\"")
        let inName = Array("{\"".utf8) + bytes + Array("\":1}".utf8)
        for text in [[quote] + bytes + [quote], Array("\"a\\n".utf8) + bytes + [quote], inName, bytes] {
            #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
        }
    }

    @Test func depth() throws {
        func nested(_ open: String, _ middle: String, _ close: String, _ depth: Int) -> String {
            String(repeating: open, count: depth) + middle + String(repeating: close, count: depth)
        }
        #expect(throws: Never.self) { try Self.parse(nested("[", "", "]", 64)) }
        #expect(throws: JSONError.self) { try Self.parse(nested("[", "", "]", 65)) }
        #expect(throws: Never.self) { try Self.parse(nested("{\"a\":", "1", "}", 64)) }
        #expect(throws: JSONError.self) { try Self.parse(nested("{\"a\":", "1", "}", 65)) }
        #expect(throws: JSONError.self) { try Self.parse(String(repeating: "[", count: 1_000_000)) }
        #expect(throws: JSONError.self) { try JSONValue(parsing: Array("[[]]".utf8), maxDepth: 1) }
    }

    /// - Parameters:
    ///   - count: The number of values in `text` if arrays of numbers are not packed.
    ///   - packedCount: The number of values in `text` if arrays of numbers are packed.
    @Test(arguments: [
        ("1", 1, 1), ("[]", 1, 1), ("[1,2,3]", 4, 1), ("[[1,2],[3],[]]", 7, 4), ("[1,2,\"\"]", 4, 4),
        ("[[[[1]]]]", 5, 4), ("{\"a\":1,\"b\":{\"c\":[1]}}", 5, 4), ("[null,true,\"a\",{}]", 5, 5),
    ])
    func countsValues(text: String, count: Int, packedCount: Int) {
        for (packing, count) in [(false, count), (true, packedCount)] {
            func parse(_ most: Int) throws(JSONError) {
                _ = try JSONValue(parsing: Array(text.utf8), maxValues: most, packingNumbers: packing)
            }
            #expect(throws: Never.self) { try parse(count) }
            #expect(#expect(throws: JSONError.self) { try parse(count - 1) }?.isTooMany == true)
        }
    }

    @Test(arguments: [
        ("[1,]", 3, "expected a value, found ']'"), ("{\"a\":1,\"a\":2}", 7, "duplicate member \"a\""),
        ("[1", 2, "the end of the text"),
        ("nul", 0, "expected a value, found 'n'"), ("\"\\uD800\"", 1, "surrogate"),
        ("[\"a\tb\"]", 3, "control character"),
    ])
    func saysWhereAndWhat(text: String, offset: Int, message: String) {
        let error = #expect(throws: JSONError.self) { try Self.parse(text) }
        #expect(
            error?.offset == offset && error?.message.contains(message) == true, "\(error?.description ?? "no error")")
    }

    /// Long names in error messages are cut by Unicode scalars, since one `Character` may have any number of marks.
    @Test(arguments: [String(repeating: "e", count: 50_000), "e" + String(repeating: "\u{301}", count: 50_000)])
    func showsTheBeginningOfLongNames(name: String) {
        let error = #expect(throws: JSONError.self) { try Self.parse("{\"\(name)\":1,\"\(name)\":2}") }
        let beginning = String(name.unicodeScalars.prefix(80))
        #expect(error?.message == "duplicate member \"\(beginning)…\"")
    }

    /// Canonically equivalent names are different names, although Swift's `String` treats them as equal.
    /// - Parameter others: The number of other members: 0 tests the linear search, 40 the index.
    @Test(arguments: [0, 40])
    func namesCompareByCodePoint(others: Int) throws {
        let filler = (0..<others).map { ",\"k\($0)\":0" }.joined()
        let value = try Self.parse("{\"\u{E9}\":1,\"e\u{301}\":2,\"\u{212B}\":3,\"\u{C5}\":4\(filler)}")
        #expect(value["\u{E9}"] == .integer(1) && value["e\u{301}"] == .integer(2))
        #expect(value["\u{212B}"] == .integer(3) && value["\u{C5}"] == .integer(4) && value["A\u{30A}"] == nil)
        #expect(throws: JSONError.self) { try Self.parse("{\"\u{E9}\":1,\"\u{E9}\":2\(filler)}") }
    }
}
