import Foundation
import JSON

/// Compares the output that a document shows with the one that came.
///
/// | in the document | stands for |
/// |---|---|
/// | `…` in a string or in a line | any characters |
/// | `…` as a line of its own | any number of lines |
/// | `…` as a JSON value | any value |
/// | `[1, 2, …]` | any further elements |
/// | `[1, 2, … (382 more)]` | 382 further elements |
/// | `{"a": 1, …}` | any further members |
///
/// JSON is compared as a tree: white space and the order of members do not matter. Numbers with a fraction, and those inside
/// base64, may differ by 1e-4 of their value and by 1e-6, since instruction sets round differently. Whole numbers must be
/// equal. Members named `…_max_error` are rounding errors and need only be small. `kernel` may name another kernel table.
enum ExpectedOutput {
    /// The largest rounding error that `checks` of an attention map may have.
    static let largestRoundingError = 1e-5

    /// - Returns: the differences, one a sentence; empty if there is none.
    static func differences(_ expected: DocumentedExample.Output, _ actual: String) -> [String] {
        switch expected.format {
        case .json: jsonDifferences(expected.text, actual)
        case .text: lineDifferences(lines(expected.text), lines(actual))
        case .http: httpDifferences(expected.text, actual)
        }
    }

    /// Whether a response may have this status: the one of the first line that is shown, an error if an error object is
    /// shown, else success.
    static func isStatusExpected(_ status: Int, for expected: DocumentedExample.Output?) -> Bool {
        if let expected, expected.format == .http {
            return expected.text.split(separator: " ").dropFirst().first.flatMap { Int($0) } == status
        }
        if let expected, expected.format == .json, (try? parse(expected.text))?["error"] != nil {
            return status >= 400
        }
        return 200..<300 ~= status
    }

    // MARK: Text

    private static func lines(_ text: String) -> [String] {
        var lines = text.replacingOccurrences(of: "\r\n", with: "\n").components(separatedBy: "\n")
        while lines.last?.isEmpty == true { lines.removeLast() }
        return lines
    }

    static func lineDifferences(_ expected: [String], _ actual: [String]) -> [String] {
        var position = 0
        let runs = expected.split(separator: "…", omittingEmptySubsequences: false).map(Array.init)
        for (index, run) in runs.enumerated() {
            let isFirst = index == 0
            let isLast = index == runs.count - 1
            var starts = Array(position...max(position, actual.count))
            if isFirst { starts = [0] }
            if isLast, !isFirst { starts = [actual.count - run.count].filter { $0 >= position } }
            let found = starts.first { start in
                start + run.count <= actual.count
                    && zip(run, actual[start...]).allSatisfy { matches($0, $1) }
            }
            guard let found else {
                return ["these lines are missing, or not where they should be:\n\(run.joined(separator: "\n"))"]
            }
            position = found + run.count
            if isLast, position != actual.count {
                return ["there are more lines than these:\n\(run.joined(separator: "\n"))"]
            }
        }
        return []
    }

    /// Whether a text has the parts of a pattern in their order, with anything for each `…`.
    static func matches(_ pattern: String, _ text: String) -> Bool {
        let parts = pattern.components(separatedBy: "…")
        guard parts.count > 1 else { return pattern == text }
        guard text.hasPrefix(parts[0]) else { return false }
        var rest = text.dropFirst(parts[0].count)
        for part in parts.dropFirst().dropLast() where !part.isEmpty {
            guard let range = rest.range(of: part) else { return false }
            rest = rest[range.upperBound...]
        }
        return rest.hasSuffix(parts[parts.count - 1])
    }

    // MARK: HTTP

    /// Patterns of headers whose value differs between responses.
    private static let headerPatterns = [
        "date": #"^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$"#,
        "server-timing": #"^tokenize;dur=[\d.]+, queue;dur=[\d.]+, infer;dur=[\d.]+, serialize;dur=[\d.]+$"#,
    ]

    private static func httpDifferences(_ expected: String, _ actual: String) -> [String] {
        let (wantedHead, wantedBody) = halves(lines(expected))
        let (head, body) = halves(lines(actual))
        var differences: [String] = []
        if wantedHead.first != head.first {
            differences.append("the status is '\(head.first ?? "")', not '\(wantedHead.first ?? "")'")
        }
        var headers = fields(head.dropFirst())
        for (name, value) in fields(wantedHead.dropFirst().filter { $0 != "…" }) {
            guard let got = headers.removeValue(forKey: name) else {
                differences.append("there is no header \(name)")
                continue
            }
            let isRight =
                headerPatterns[name].map { got.range(of: $0, options: .regularExpression) != nil }
                ?? matches(value, got)
            if !isRight { differences.append("the header \(name) is '\(got)', not '\(value)'") }
        }
        if !wantedHead.contains("…"), !headers.isEmpty {
            differences.append("the headers \(headers.keys.sorted().joined(separator: ", ")) are not shown")
        }
        let (wanted, got) = (wantedBody.joined(separator: "\n"), body.joined(separator: "\n"))
        if wanted.hasPrefix("{") || wanted.hasPrefix("[") { return differences + jsonDifferences(wanted, got) }
        return differences + lineDifferences(wantedBody, body)
    }

    private static func halves(_ lines: [String]) -> (head: [String], body: [String]) {
        let end = lines.firstIndex(of: "") ?? lines.count
        return (Array(lines[..<end]), Array(lines[min(end + 1, lines.count)...]))
    }

    private static func fields(_ lines: some Sequence<String>) -> [String: String] {
        var fields: [String: String] = [:]
        for line in lines {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard let name = parts.first else { continue }
            fields[name.lowercased()] = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        }
        return fields
    }

    // MARK: JSON

    static func jsonDifferences(_ expected: String, _ actual: String) -> [String] {
        let wanted: JSONValue
        do { wanted = try parse(expected) } catch { return ["the JSON that is shown cannot be read: \(error)"] }
        do {
            return differences(wanted, try JSONValue(parsing: Array(actual.utf8)), at: "", name: "")
        } catch {
            return ["what came is not JSON (\(error)): \(actual.prefix(300))"]
        }
    }

    /// Reads JSON in which elements are left out.
    private static func parse(_ text: String) throws -> JSONValue {
        var json = ""
        var inString = false
        var isEscaped = false
        var containers: [Character] = []
        var rest = text[...]
        while let character = rest.popFirst() {
            if inString {
                if isEscaped {
                    isEscaped = false
                } else if character == "\\" {
                    isEscaped = true
                } else if character == "\"" {
                    inString = false
                }
                json.append(character)
                continue
            }
            switch character {
            case "\"": inString = true
            case "{", "[": containers.append(character)
            case "}", "]": _ = containers.popLast()
            case "…":
                var marker = "…"
                if let count = rest.prefixMatch(of: /\ \(\d+ more\)/) {
                    marker += count.0
                    rest = rest[count.range.upperBound...]
                }
                let isMember = containers.last == "{" && json.last(where: { !$0.isWhitespace }) != ":"
                json += isMember ? "\"\(marker)\": null" : "\"\(marker)\""
                continue
            default: break
            }
            json.append(character)
        }
        return try JSONValue(parsing: Array(json.utf8))
    }

    private static func differences(
        _ expected: JSONValue, _ actual: JSONValue, at path: String, name: String
    ) -> [String] {
        func wrong(_ what: String) -> [String] { ["\(path.isEmpty ? "the whole" : path) is \(what)"] }
        switch expected {
        case .string("…"): return []
        case .string(let text):
            guard let got = actual.string else { return wrong("\(actual.kind), not a string") }
            if name == "kernel", isKernel(text), isKernel(got) { return [] }
            if let wanted = floats(text), let found = floats(got), wanted.count == found.count,
                zip(wanted, found).allSatisfy({ isNear($0, $1) })
            {
                return []
            }
            return matches(text, got) ? [] : wrong("'\(got)', not '\(text)'")
        case .integer(let number):
            if case .integer(number) = actual { return [] }
            return wrong("\(actual), not \(number)")
        case .number(let number):
            guard let got = actual.double else { return wrong("\(actual.kind), not a number") }
            let isRight =
                name.hasSuffix("_max_error")
                ? max(got, number) <= largestRoundingError && min(got, number) >= 0 : isNear(number, got)
            return isRight ? [] : wrong("\(got), not \(number)")
        case .array, .numbers:
            guard let got = actual.array else { return wrong("\(actual.kind), not an array") }
            return arrayDifferences(expected.array ?? [], got, at: path, name: name)
        case .object(let object):
            guard let got = actual.object else { return wrong("\(actual.kind), not an object") }
            return objectDifferences(object, got, at: path)
        case .null, .bool: return expected == actual ? [] : wrong("\(actual), not \(expected)")
        }
    }

    private static func arrayDifferences(
        _ expected: [JSONValue], _ actual: [JSONValue], at path: String, name: String
    ) -> [String] {
        let gap = expected.firstIndex { $0.string?.hasPrefix("…") == true }
        var before = expected[...]
        var after = ArraySlice<JSONValue>()
        var missing = 0...0
        // A lone … in an array of values is a gap too.
        if let gap, let marker = expected[gap].string {
            before = expected[..<gap]
            after = expected[(gap + 1)...]
            let count = Int(marker.filter(\.isNumber))
            missing = (count ?? 0)...(count ?? .max - expected.count)
        }
        let shown = before.count + after.count
        guard shown <= actual.count, missing.contains(actual.count - shown) else {
            return ["\(path) has \(actual.count) elements, not \(shown + missing.lowerBound)"]
        }
        let pairs = Array(zip(before, actual)) + Array(zip(after, actual.suffix(after.count)))
        return pairs.enumerated().flatMap { index, pair in
            differences(pair.0, pair.1, at: "\(path)[\(index)]", name: name)
        }
    }

    private static func objectDifferences(_ expected: JSONObject, _ actual: JSONObject, at path: String) -> [String] {
        var found: [String] = []
        for (key, value) in expected.members where key != "…" {
            if let got = actual[key] {
                found += differences(value, got, at: path.isEmpty ? key : "\(path).\(key)", name: key)
            } else {
                found.append("\(path) has no '\(key)'")
            }
        }
        if expected["…"] == nil {
            found += actual.keys.filter { expected[$0] == nil }.map { "\(path) has '\($0)', which is not shown" }
        }
        return found
    }

    private static func isNear(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-4 * max(abs(a), abs(b)) + 1e-6 }

    private static func isKernel(_ name: String) -> Bool {
        name.range(of: "^(baseline|avx2|avx512)[a-z0-9-]*$", options: .regularExpression) != nil
    }

    /// The little-endian f32 values of a base64 text; `nil` if it holds none.
    private static func floats(_ text: String) -> [Double]? {
        guard let data = Data(base64Encoded: text), !data.isEmpty, data.count % 4 == 0 else { return nil }
        return stride(from: 0, to: data.count, by: 4).map { start in
            let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(data[data.startIndex + start + $1]) << (8 * UInt32($1)) }
            return Double(Float(bitPattern: bits))
        }
    }
}
