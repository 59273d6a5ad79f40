import Foundation

@testable import JSON

/// Fuzz targets for the JSON parser and writer.
enum JSONTargets {
    static let all = [
        FuzzTarget(name: "json", maxLength: 512, run: json), FuzzTarget(name: "numbers", maxLength: 48, run: numbers),
    ]

    /// Parses a text with and without packed numbers, writes both results, and parses them again.
    private static func json(_ input: UnsafeRawBufferPointer) throws {
        let bytes = Array(input)
        let (value, error) = read(bytes)
        let (packed, packedError) = read(bytes, packing: true)
        try check(error == packedError, "\(error as Any), packing numbers \(packedError as Any)")
        guard let value, let packed else { return }
        try check(plain(packed) == value, "packed numbers \(packed) are not \(value)")
        let text = written(value)
        let (again, _) = read(text)
        try check(
            again.map { isSame($0, value) } == true, "\(value) is written as \(String(decoding: text, as: UTF8.self))")
        try check(written(packed) == text, "packed numbers are written otherwise than \(value)")
    }

    private static func read(_ bytes: [UInt8], packing: Bool = false) -> (JSONValue?, JSONError?) {
        do throws(JSONError) {
            return (try JSONValue(parsing: bytes, packingNumbers: packing), nil)
        } catch {
            return (nil, error)
        }
    }

    private static func written(_ value: JSONValue) -> [UInt8] {
        var writer = JSONWriter()
        writer.value(value)
        return writer.bytes
    }

    /// Returns the value with packed arrays of numbers unpacked.
    private static func plain(_ value: JSONValue) -> JSONValue {
        switch value {
        case .numbers(let numbers): return .array(numbers.values)
        case .array(let values): return .array(values.map(plain))
        case .object(let object):
            var result = JSONObject()
            for (key, value) in object.members { result.append(key, plain(value)) }
            return .object(result)
        default: return value
        }
    }

    /// Whether two values are equal if 1 and 1.0 count as equal. A whole double may be written as an integer.
    private static func isSame(_ a: JSONValue, _ b: JSONValue) -> Bool {
        switch (a, b) {
        case (.array(let a), .array(let b)): return a.count == b.count && zip(a, b).allSatisfy(isSame)
        case (.object(let a), .object(let b)):
            return a.count == b.count
                && zip(a.members, b.members).allSatisfy { $0.key == $1.key && isSame($0.value, $1.value) }
        case (.number, _), (.integer, _): return a.double == b.double && (a.double?.sign == b.double?.sign)
        default: return a == b
        }
    }

    /// Parses an array of numbers and compares each one with strtod and strtof, to the bit.
    ///
    /// The target keeps only the bytes of the input that can occur in numbers, and commas.
    private static func numbers(_ input: UnsafeRawBufferPointer) throws {
        let bytes = input.filter { (0x2B...0x2E ~= $0) || (0x30...0x39 ~= $0) || $0 | 0x20 == 0x65 }
        let text = [UInt8(ascii: "[")] + bytes + [UInt8(ascii: "]")]
        let (value, error) = read(text)
        let parts = bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        let isGrammatical = bytes.isEmpty || parts.allSatisfy(isNumber)
        let isFinite = parts.allSatisfy { Double($0)?.isFinite ?? true }
        try check((value != nil) == (isGrammatical && isFinite), "\(parts): \(String(describing: error))")
        guard let values = value?.array, !bytes.isEmpty else { return }
        for (part, value) in zip(parts, values) {
            if case .integer(let int) = value {
                try check(Int(part) == int, "\(part) is read as \(int)")
            } else {
                try check(Double(part)?.bitPattern == value.double?.bitPattern, "\(part) is read as \(value)")
            }
        }
        guard case .numbers(let packed)? = read(text, packing: true).0 else { return }
        try check(packed.floats.count == parts.count, "\(packed.floats.count) numbers of \(parts.count)")
        for (part, float) in zip(parts, packed.floats) {
            try check(Float(part)?.bitPattern == float.bitPattern, "\(part) is read as \(float)")
        }
    }

    /// Whether `text` matches the grammar of RFC 8259, section 6:
    /// number = [ "-" ] ( "0" / digit1-9 *digit ) [ "." 1*digit ] [ e [ "+" / "-" ] 1*digit ]
    private static func isNumber(_ text: String) -> Bool {
        var rest = Substring(text)
        func digits(_ rest: inout Substring) -> Substring {
            let found = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(found.count)
            return found
        }
        if rest.first == "-" { rest = rest.dropFirst() }
        let whole = digits(&rest)
        guard !whole.isEmpty, whole == "0" || whole.first != "0" else { return false }
        if rest.first == "." {
            rest = rest.dropFirst()
            guard !digits(&rest).isEmpty else { return false }
        }
        if let e = rest.first, e == "e" || e == "E" {
            rest = rest.dropFirst()
            if let sign = rest.first, sign == "+" || sign == "-" { rest = rest.dropFirst() }
            guard !digits(&rest).isEmpty else { return false }
        }
        return rest.isEmpty
    }
}
