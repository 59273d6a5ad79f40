import Foundation
import JSON
import KernelSelection
import Models
import Server

/// A benchmark of JSON reading and writing beside Foundation: `JSONBench models/minilm models/resemblyzer`.
///
/// For each model directory in the arguments it also measures the share of JSON in the time of a request. The file
/// peers.cpp measures C++ libraries in the same way.
@main
struct JSONBench {
    static func main() throws {
        var random = SplitMix(state: 7)
        writing((0..<512 * 384).map { _ in Float(random.normal() * 0.05) })
        let features = (0..<160).map { _ in (0..<40).map { _ in random.normal() } }
        try reading("160 × 40, shortest f32", features.map { $0.map { Float($0).description } })
        try reading("160 × 40, shortest f64", features.map { $0.map { $0.description } })
        for directory in CommandLine.arguments.dropFirst() { try requests(directory) }
    }

    /// Measures writing `states` as rows of 384 numbers.
    static func writing(_ states: [Float]) {
        print("writing 512 × 384 floats")
        let rows = stride(from: 0, to: states.count, by: 384).map { Array(states[$0..<$0 + 384]) }
        report("JSONWriter", states.count) { write(rows).count }
        report("Float.description into an array", states.count) {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(states.count * 13)
            for value in states {
                bytes.append(contentsOf: value.description.utf8)
                bytes.append(UInt8(ascii: ","))
            }
            return bytes.count
        }
        report("Foundation JSONEncoder", states.count) { (try? JSONEncoder().encode(rows).count) ?? 0 }
        report("Foundation JSONSerialization", states.count) {
            (try? JSONSerialization.data(withJSONObject: rows).count) ?? 0
        }
    }

    /// Writes an array of arrays of numbers.
    static func write(_ rows: [[Float]]) -> [UInt8] {
        var json = JSONWriter(capacity: rows.count * (rows.first?.count ?? 0) * 13)
        json.array { json in for row in rows { json.floats(row) } }
        return json.bytes
    }

    /// Measures reading a matrix of numbers, given as text, into arrays of f32.
    static func reading(_ name: String, _ numbers: [[String]]) throws {
        let text = "[" + numbers.map { "[" + $0.joined(separator: ",") + "]" }.joined(separator: ",") + "]"
        let bytes = Array(text.utf8)
        let data = Data(bytes)
        let count = numbers.count * (numbers.first?.count ?? 0)
        print("reading \(name), \(bytes.count) bytes")
        report("JSONValue, numbers packed", count) {
            ((try? JSONValue(parsing: bytes, packingNumbers: true))?.array ?? []).reduce(0) { sum, row in
                if case .numbers(let numbers) = row { sum + numbers.floats.count } else { sum }
            }
        }
        report("JSONValue, one value per number", count) {
            ((try? JSONValue(parsing: bytes))?.array ?? []).reduce(0) { sum, row in
                sum + (row.array ?? []).map { Float($0.double ?? 0) }.count
            }
        }
        report("Foundation JSONDecoder", count) {
            ((try? JSONDecoder().decode([[Float]].self, from: data)) ?? []).reduce(0) { $0 + $1.count }
        }
        report("Foundation JSONSerialization", count) {
            let rows = (try? JSONSerialization.jsonObject(with: data)) as? [[NSNumber]]
            return (rows ?? []).reduce(0) { $0 + $1.map(\.floatValue).count }
        }
    }

    /// Measures typical requests to one model, in every precision, on one thread.
    static func requests(_ directory: String) throws {
        let kernels = try KernelSelection.select(ProcessInfo.processInfo.environment["ENCODERD_ISA"])
        for precision in Precision.allCases {
            let model = try Model.load(directory: directory, name: "m", kernels: kernels, precision: precision)
            switch model.description.architecture.input {
            case .features(let size):
                var random = SplitMix(state: 7)
                let rows = (0..<160).map { _ in (0..<size).map { _ in Float(random.normal()) } }
                let numbers = String(decoding: write(rows), as: UTF8.self)
                request(model, "160 × \(size) features", "{\"input\":\(numbers)}")
            case .tokens(let vocabulary):
                let words = "the server answers each request before its deadline has passed".split(separator: " ")
                let texts = (0..<32).map { i in
                    "\"" + (0..<16).map { words[($0 * 7 + i) % words.count] }.joined(separator: " ") + "\""
                }
                request(model, "32 texts", "{\"input\":[\(texts.joined(separator: ","))]}")
                let ids = (0..<512).map { "\(($0 * 7919 + 1000) % vocabulary)" }.joined(separator: ",")
                request(
                    model, "512 × \(model.description.architecture.hiddenSize) states",
                    "{\"input\":[\(ids)],\"output\":\"states\"}")
            }
        }
    }

    /// Measures a whole request without HTTP, and its JSON reading and writing alone.
    static func request(_ model: Model, _ name: String, _ body: String) {
        let bytes = Array(body.utf8)
        func whole() -> [UInt8] {
            guard let value = try? JSONValue(parsing: bytes, packingNumbers: true), let input = value["input"] else {
                return []
            }
            var call = EncodeCall(.json(input))
            call.outputs = value["output"]?.string.flatMap(EncodeOutput.init).map { [$0] } ?? []
            guard let results = try? call.run(on: model) else { return [] }
            return (try? EncodeResponse(results).content(.json).bytes) ?? []
        }
        let answer = whole()
        let numbers = floats(in: answer)
        let total = best { whole().count }
        let json = best {
            ((try? JSONValue(parsing: bytes, packingNumbers: true))?.kind.count ?? 0) + write(numbers).count
        }
        let share = (json / total * 1000).rounded() / 10
        print(
            "\(model.description.runtime.precision) \(name): \(Int(total * 1e6)) µs in all, JSON \(Int(json * 1e6)) µs, \(share) %"
        )
    }

    /// Returns every array of numbers in a JSON response, in the order written.
    static func floats(in answer: [UInt8]) -> [[Float]] {
        func collect(_ value: JSONValue) -> [[Float]] {
            switch value {
            case .numbers(let numbers): [numbers.floats]
            case .array(let values): values.flatMap(collect)
            case .object(let object): object.members.flatMap { collect($0.value) }
            default: []
            }
        }
        return ((try? JSONValue(parsing: answer, packingNumbers: true)).map(collect)) ?? []
    }

    /// Prints the time of `body` in total and per number.
    static func report(_ name: String, _ numbers: Int, _ body: () -> Int) {
        let seconds = best(body)
        let each = (seconds / Double(numbers) * 1e10).rounded() / 10
        print("  \(name): \(Int(seconds * 1e6)) µs, \(each) ns per number")
    }

    /// Returns the lowest CPU time of this thread in seconds, of seven runs of `body`.
    static func best(_ body: () -> Int) -> Double {
        var best = Double.infinity
        for _ in 0..<7 {
            let start = clock()
            precondition(body() > 0, "nothing was read or written")
            best = min(best, clock() - start)
        }
        return best
    }

    /// The CPU time of this thread in seconds.
    static func clock() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// Sebastiano Vigna's pseudo-random generator splitmix64.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Returns an approximately normal number: the sum of twelve uniform numbers, minus 6.
    mutating func normal() -> Double {
        (0..<12).reduce(-6.0) { sum, _ in sum + Double(next() >> 11) / 9_007_199_254_740_992 }
    }
}
