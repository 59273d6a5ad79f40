import KernelSelection
import Kernels
import TestSupport
import Testing

@testable import Models

/// Every family of encoders, in each variant of its configuration, against transformers' eager attention in f32; by
/// Tests/Reference/families.py, which says what stands in the files.
@Suite struct FamilyTests {
    static let folder = Folders.reference + "/families"
    static let names = directories(in: folder)
    static let tables = KernelSelection.variants.map { Table(kernels: $0) }

    /// Sequences of 1, 2, 17, 128 and the most tokens as one ragged batch, then one by one, alone and with a helper.
    @Test(arguments: tables, names) func equalsTransformers(_ table: Table, _ name: String) throws {
        let directory = Self.folder + "/" + name
        let model = try Model.load(directory: directory, name: name, kernels: table.kernels)
        let expected = try Expected(directory)
        let d = model.description
        #expect(d.attribution.methods.first == .raw && d.runtime.precision == "f32")
        let sequences = (0..<10).filter { expected.has("\($0).ids") }
        try #require(sequences.count >= 4)
        let requests = try sequences.map { try Self.request(expected, $0, d) }
        #expect(requests.map(\.length).max() == d.architecture.positions || d.architecture.positions == nil)

        let together = model.network.forward(requests, scratch: Scratch())
        for (n, result) in zip(sequences, together) { try Self.compare(result, expected, n, d) }
        let threads = HelperThreads(count: 1, leastWork: 1)
        let (alone, shared) = (Scratch(), Scratch(team: threads.team))
        for (request, result) in zip(requests, together) {
            let single = model.network.forward([request], scratch: alone)
            #expect(Self.isSame(single[0], result), "\(request.length) tokens alone")
            threads.team.open()
            let helped = model.network.forward([request], scratch: shared)
            threads.team.close()
            #expect(Self.isSame(helped[0], result), "\(request.length) tokens with a helper")
        }
        threads.team.open()
        let helped = model.network.forward(requests.reversed(), scratch: shared)
        threads.team.close()
        for (a, b) in zip(helped.reversed(), together) { #expect(Self.isSame(a, b), "a batch with a helper") }
    }

    /// Reduced precisions reach every dense layer that is not meant to stay f32, and no other: states stay near, and the
    /// same alone and in company.
    @Test(arguments: [Precision.bf16, .int8], names) func reducedPrecisionsStayNear(
        _ precision: Precision, _ name: String
    ) throws {
        let (directory, table) = (Self.folder + "/" + name, Self.tables[Self.tables.count - 1])
        let exact = try Model.load(directory: directory, name: name, kernels: table.kernels)
        let model = try Model.load(directory: directory, name: name, kernels: table.kernels, precision: precision)
        let d = model.description
        #expect(
            d.runtime.precision == precision.rawValue
                && d.architecture.parameters == exact.description.architecture.parameters)
        let expected = try Expected(directory)
        let requests = try (0..<4).map { try Self.request(expected, $0, d) }
        let threads = HelperThreads(count: 1, leastWork: 1)
        let shared = Scratch(team: threads.team)
        for request in requests {
            let reference = exact.network.forward([request], scratch: Scratch())[0]
            let result = model.network.forward([request], scratch: Scratch())[0]
            for (layer, (states, wanted)) in zip(result.states, reference.states).enumerated() {
                let difference = relativeDifference(states.values, wanted.values)
                #expect(difference < (precision == .bf16 ? 0.05 : 0.15), "\(request.length) tokens, layer \(layer)")
            }
            threads.team.open()
            let company = model.network.forward(requests, scratch: shared)
            threads.team.close()
            #expect(company.contains { Self.isSame($0, result) }, "\(request.length) tokens in company")
        }
    }

    private static func compare(_ result: SequenceResult, _ expected: Expected, _ n: Int, _ d: ModelDescription) throws
    {
        let rows = expected.has("\(n).rows") ? try expected.ids("\(n).rows").map { Int($0) } : nil
        func chosen(_ matrix: Matrix) -> [Float] {
            (rows ?? Array(0..<matrix.rows)).flatMap {
                $0 < matrix.rows ? matrix.values[($0 * matrix.columns)..<(($0 + 1) * matrix.columns)] : []
            }
        }
        #expect(result.states.count == d.architecture.layers + 1)
        #expect(
            expected.has("\(n).states.\(d.architecture.layers)")
                && !expected.has("\(n).states.\(d.architecture.layers + 1)"))
        for (layer, states) in result.states.enumerated() {
            try expect(chosen(states), expected, "\(n).states.\(layer)", tolerance: 1e-5, relative: true)
        }
        let maps = try #require(result.attention)
        #expect(try maps.shape == expected.shape("\(n).attention"))
        try expect(maps.weights, expected, "\(n).attention", tolerance: 1e-6, relative: false)
        #expect(try #require(maps.rowSumMaxError) < 2e-6)
        #expect(try #require(maps.reconstructionMaxError) < 1e-5)
        if expected.has("\(n).logits") {
            let logits = try #require(result.logits)
            let found = d.outputs.logitsPerToken ? chosen(logits) : logits.values
            try expect(found, expected, "\(n).logits", tolerance: 1e-5, relative: true)
        }
    }

    /// Expects values within the tolerance of torch's f32, or, where torch itself is farther from f64, about as near to
    /// f64 as torch is.
    private static func expect(
        _ found: [Float], _ expected: Expected, _ name: String, tolerance: Float, relative: Bool
    ) throws {
        func difference(_ found: [Float], _ expected: [Float]) -> Float {
            guard found.count == expected.count, !found.contains(where: \.isNaN) else { return .infinity }
            return zip(found, expected).reduce(0) { max($0, abs($1.0 - $1.1) / (relative ? max(1, abs($1.1)) : 1)) }
        }
        let torch = try expected.floats(name)
        if expected.has(name + ".f64") {
            let exact = try expected.floats(name + ".f64")
            #expect(difference(found, exact) < 1.5 * max(tolerance, difference(torch, exact)), "\(name) from f64")
        } else {
            #expect(difference(found, torch) < tolerance, "\(name)")
        }
    }

    private static func isSame(_ a: SequenceResult, _ b: SequenceResult) -> Bool {
        a.states == b.states && a.logits == b.logits && a.attention?.weights == b.attention?.weights
    }

    private static func request(_ expected: Expected, _ n: Int, _ d: ModelDescription) throws -> SequenceRequest {
        var outputs = OutputSelection()
        outputs.stateLayers = Array(0...d.architecture.layers)
        outputs.logits = expected.has("\(n).logits")
        outputs.attention = AttentionSelection(
            method: .raw, layers: Array(0..<d.architecture.layers), heads: Array(0..<d.architecture.heads),
            queries: expected.has("\(n).queries") ? try expected.ids("\(n).queries").map { Int($0) } : nil)
        let types = expected.has("\(n).types") ? try expected.ids("\(n).types") : []
        #expect(types.isEmpty || d.architecture.tokenTypes != nil)
        return SequenceRequest(input: .tokens(ids: try expected.ids("\(n).ids"), typeIDs: types), outputs: outputs)
    }
}
