import Kernels
import ModelFiles
import TestSupport
import Testing

@testable import Models

/// Against torch, by Tests/Reference/recurrent.py: every cell, layers, directions, bias, projections, output layers,
/// initial states, and weight maps; on every table of kernels.
@Suite struct RecurrentTests {
    static let folder = Folders.reference + "/recurrent"
    static let names = directories(in: folder)

    /// All inputs of a case as one ragged batch, from zeros and from given states.
    @Test(arguments: Table.all, names) func equalsTorch(_ table: Table, _ name: String) throws {
        let directory = Self.folder + "/" + name
        let model = try Model.load(directory: directory, name: name, kernels: table.kernels)
        let expected = try Expected(directory)
        let d = model.description
        #expect(
            d.attribution.methods == (d.architecture.family == "rnn" ? [.jacobian] : [.writeContribution, .jacobian]))
        var requests: [SequenceRequest] = []
        var keys: [String] = []
        for n in 0... {
            guard expected.has("\(n).ids") || expected.has("\(n).input") else { break }
            for start in ["zero", "given"] {
                for pooling in [Pooling.last, .mean, .max] {
                    var request = try Self.request(expected, n, start, d)
                    request.outputs.pooling = [pooling]
                    // Each map with one of the poolings.
                    let method: AttentionMethod? =
                        switch pooling {
                        case .last: .jacobian
                        case .mean: .writeContribution
                        default: nil
                        }
                    if let method, let key = Self.key(method), expected.has("\(n).\(start).\(key)") {
                        request.outputs.attention = Self.selection(
                            method, d, queries: request.length == 500 ? Self.longRows : nil)
                    }
                    requests.append(request)
                    keys.append("\(n).\(start)")
                }
            }
        }
        #expect(requests.count >= 6)
        let results = model.network.forward(requests, scratch: Scratch())
        for ((key, request), result) in zip(zip(keys, requests), results) {
            for layer in 1...d.architecture.layers {
                let error = relativeDifference(
                    result.states[layer - 1].values, try expected.floats("\(key).states.\(layer)"))
                #expect(error < 1e-5, "\(key) layer \(layer)")
            }
            let pooling = try #require(request.outputs.pooling.first)
            let embedding = try #require(result.embedding)
            #expect(embedding.count == d.outputs.embeddingSize)
            #expect(relativeDifference(embedding, try expected.floats("\(key).\(pooling.rawValue)")) < 1e-5, "\(key)")
            let state = try #require(result.finalState)
            #expect(relativeDifference(state.hidden.values, try expected.floats("\(key).h")) < 1e-5, "\(key)")
            if expected.has("\(key).c") {
                let cell = try #require(state.cell)
                #expect(relativeDifference(cell.values, try expected.floats("\(key).c")) < 1e-5, "\(key)")
            }
            if expected.has("\(key).logits") {
                let logits = try #require(result.logits)
                #expect(relativeDifference(logits.values, try expected.floats("\(key).logits")) < 1e-5, "\(key)")
            }
            guard let method = request.outputs.attention?.method else { continue }
            let maps = try #require(result.attention)
            let want = "\(key).\(try #require(Self.key(method)))"
            #expect(try maps.shape == expected.shape(want))
            #expect(relativeDifference(maps.weights, try expected.floats(want)) < 2e-6, "\(want)")
            #expect((maps.rowSumMaxError != nil) == (d.architecture.family == "gru" && method == .writeContribution))
            if let error = maps.rowSumMaxError { #expect(error < 2e-6, "\(key)") }
            #expect((maps.reconstructionMaxError != nil) == (method == .writeContribution))
            if let error = maps.reconstructionMaxError { #expect(error < 1e-5, "\(key)") }
        }
    }

    /// The rows that the reference keeps of a map of 500 steps.
    static let longRows = [250, 499]

    private static func key(_ method: AttentionMethod) -> String? {
        switch method {
        case .writeContribution: "contribution"
        case .jacobian: "jacobian"
        default: nil
        }
    }

    private static func selection(
        _ method: AttentionMethod, _ d: ModelDescription, queries: [Int]?
    ) -> AttentionSelection {
        AttentionSelection(
            method: method, layers: method.hasLayers ? Array(0..<d.architecture.layers) : [],
            heads: method.hasLayers ? Array(0..<d.architecture.directions) : [], queries: queries)
    }

    /// Multiplications of a map, counted by hand, are at most 10¹² at the longest length and more one step beyond.
    @Test func jacobianHasALimit() throws {
        let kernels = Table.all[0].kernels
        // By model: for each tangent and step, products with weight_hh of its layers and weight_ih above the first;
        // halved for tangents that do not exist yet; times the inputs: 768·256 / 2 · 256, 5·1024·256 / 2 · 40.
        let rows: [(String, Double)] = [("g2p", 25_165_824), ("resemblyzer", 26_214_400)]
        for (name, each) in rows {
            let model = try Model.load(directory: Folders.repository + "/models/" + name, name: name, kernels: kernels)
            let longest = try #require(model.description.attribution.maxLengths[.jacobian])
            let next = longest + 1
            #expect(Double(longest * longest) * each <= 1e12)
            #expect(Double(next * next) * each > 1e12)
        }
    }

    /// Every case has what its cell's maps are checked against.
    @Test(arguments: names) func mapsAreExpected(_ name: String) throws {
        let expected = try Expected(Self.folder + "/" + name)
        #expect(expected.has("0.given.jacobian"))
        #expect(expected.has("0.given.contribution") == !name.hasPrefix("rnn"))
    }

    /// Expects the same bits for a sequence alone and in a batch of all lengths, some with maps, on used scratch.
    @Test(arguments: Table.all, names) func batchesEqualSingles(_ table: Table, _ name: String) throws {
        let directory = Self.folder + "/" + name
        let model = try Model.load(directory: directory, name: name, kernels: table.kernels)
        let expected = try Expected(directory)
        let d = model.description
        var requests: [SequenceRequest] = []
        for n in 0..<3 where expected.has("\(n).ids") || expected.has("\(n).input") {
            for (start, method) in [("zero", nil), ("given", d.attribution.methods.first), ("given", .jacobian)] {
                var request = try Self.request(expected, n, start, d)
                request.outputs.pooling = [.last]
                if let method, request.length < 20 {
                    request.outputs.attention = Self.selection(method, d, queries: nil)
                }
                requests.append(request)
            }
        }
        let scratch = Scratch()
        let together = model.network.forward(requests, scratch: scratch)
        #expect(together.count == requests.count)
        for (request, result) in zip(requests, together) {
            let alone = try #require(model.network.forward([request], scratch: scratch).first)
            #expect(alone.states == result.states)
            #expect(alone.embedding == result.embedding)
            #expect(alone.logits == result.logits)
            #expect(alone.finalState == result.finalState)
            #expect(alone.attention?.weights == result.attention?.weights)
        }
    }

    private static func request(
        _ expected: Expected, _ n: Int, _ start: String, _ d: ModelDescription
    ) throws -> SequenceRequest {
        var outputs = OutputSelection()
        outputs.stateLayers = Array(1...d.architecture.layers)
        outputs.embeddingLayer = d.architecture.layers
        outputs.logits = d.outputs.logitsSize != nil
        outputs.finalState = true
        if start == "given" {
            let hasCell = d.architecture.stateShape?.cell ?? 0 > 0
            outputs.initialState = RecurrentState(
                hidden: try expected.matrix("\(n).given.h0"), cell: hasCell ? try expected.matrix("\(n).given.c0") : nil
            )
        }
        return SequenceRequest(input: try input(expected, n), outputs: outputs)
    }

    private static func input(_ expected: Expected, _ n: Int) throws -> SequenceInput {
        if expected.has("\(n).ids") { return .tokens(ids: try expected.ids("\(n).ids"), typeIDs: []) }
        return .features(try expected.floats("\(n).input"), steps: try expected.shape("\(n).input")[0])
    }

    /// A stream in pieces, each starting from the state that the one before returned.
    @Test(arguments: Table.all, ["rnn-long", "gru-long", "lstm-long", "lstm-proj-1"])
    func piecesMakeTheWhole(_ table: Table, _ name: String) throws {
        let directory = Self.folder + "/" + name
        let model = try Model.load(directory: directory, name: name, kernels: table.kernels)
        let expected = try Expected(directory)
        let d = model.description
        let shape = try expected.shape("0.input")
        let values = try expected.floats("0.input")
        var state: RecurrentState?
        var states: [Float] = []
        var first = 0
        for length in [1, 2, shape[0] / 2, shape[0]] {
            let steps = min(length, shape[0] - first)
            if steps == 0 { break }
            var outputs = OutputSelection()
            outputs.stateLayers = [d.architecture.layers]
            outputs.initialState = state
            outputs.finalState = true
            let piece = Array(values[(first * shape[1])..<((first + steps) * shape[1])])
            let request = SequenceRequest(input: .features(piece, steps: steps), outputs: outputs)
            let result = try #require(model.network.forward([request], scratch: Scratch()).first)
            states += result.states[0].values
            state = result.finalState
            first += steps
        }
        #expect(first == shape[0])
        #expect(relativeDifference(states, try expected.floats("0.zero.states.\(d.architecture.layers)")) < 1e-5)
        #expect(relativeDifference(try #require(state).hidden.values, try expected.floats("0.zero.h")) < 1e-5)
    }

    /// Rows of a map on their own, out of order, are those of the whole map.
    @Test(arguments: ["gru-2-1-bias", "gru-2-2-bias", "lstm-2-2-bias", "rnn-2-1-bias", "rnn-2-2-bias"])
    func rowsOfMaps(_ name: String) throws {
        let directory = Self.folder + "/" + name
        let model = try Model.load(directory: directory, name: name, kernels: Table.all[0].kernels)
        let expected = try Expected(directory)
        func maps(_ selection: AttentionSelection) throws -> AttentionMaps {
            var outputs = OutputSelection()
            outputs.attention = selection
            let request = SequenceRequest(input: try Self.input(expected, 0), outputs: outputs)
            return try #require(model.network.forward([request], scratch: Scratch()).first?.attention)
        }
        for method in model.description.attribution.methods {
            var selection = Self.selection(method, model.description, queries: nil)
            let whole = try maps(selection)
            if method.hasLayers {
                selection.layers = [1]
                selection.heads = [model.description.architecture.directions - 1]
            }
            selection.queries = [4, 0]
            let some = try maps(selection)
            let columns = method.hasInitialState ? 10 : 9
            #expect(some.shape == (method.hasLayers ? [1, 1, 2, columns] : [2, columns]))
            let last = Array(whole.weights.suffix(9 * columns))
            #expect(some.weights == Array(last[(4 * columns)..<(5 * columns)] + last[0..<columns]))
        }
    }

    @Test(arguments: Table.all) func publishedCheckpoints(_ table: Table) throws {
        let expected = try Expected(Folders.reference, "recurrent_real.safetensors")
        let g2p = try Model.load(directory: Folders.repository + "/models/g2p", name: "g2p", kernels: table.kernels)
        for n in 0..<4 {
            var outputs = OutputSelection()
            outputs.stateLayers = [1]
            let ids = try expected.ids("g2p.\(n).ids")
            let result = g2p.network.forward(
                [SequenceRequest(input: .tokens(ids: ids, typeIDs: []), outputs: outputs)], scratch: Scratch())
            let states = try #require(result.first?.states.first)
            #expect(relativeDifference(states.values, try expected.floats("g2p.\(n).states")) < 1e-5)
        }
        #expect(
            g2p.tokenizer?.encode("transformer", pair: nil, maxLength: nil).tokens.map(\.id)
                == (try expected.ids("g2p.0.ids")))

        let voice = try Model.load(
            directory: Folders.repository + "/models/resemblyzer", name: "voice", kernels: table.kernels)
        #expect(voice.description.outputs.pooling == [.last] && voice.description.outputs.normalize)
        #expect(voice.description.outputs.defaultOutput == .embedding)
        for n in 0..<2 {
            var outputs = OutputSelection()
            outputs.stateLayers = [3]
            outputs.pooling = [.last]
            outputs.embeddingLayer = 3
            let steps = try expected.shape("voice.\(n).input")[0]
            let input = SequenceInput.features(try expected.floats("voice.\(n).input"), steps: steps)
            let result = try #require(
                voice.network.forward([SequenceRequest(input: input, outputs: outputs)], scratch: Scratch()).first)
            let states = try expected.floats("voice.\(n).states")
            #expect(relativeDifference(Array(result.states[0].values.suffix(states.count)), states) < 1e-5)
            let embedding = try #require(result.embedding)
            let norm = embedding.reduce(0) { $0 + $1 * $1 }.squareRoot()
            #expect(relativeDifference(embedding.map { $0 / norm }, try expected.floats("voice.\(n).embedding")) < 1e-5)
        }
    }

    /// Resemblyzer's embeddings of torch (f32), and its maps, where weights and states are rounded.
    @Test(arguments: Table.all, [(Precision.bf16, Float(0.9995)), (.int8, 0.995)])
    func roundedPrecisionsStayNear(_ table: Table, _ precision: (Precision, Float)) throws {
        let expected = try Expected(Folders.reference, "recurrent_real.safetensors")
        func model(_ precision: Precision) throws -> Model {
            try Model.load(
                directory: Folders.repository + "/models/resemblyzer", name: "voice", kernels: table.kernels,
                precision: precision)
        }
        let (exact, rounded) = (try model(.f32), try model(precision.0))
        #expect(rounded.description.runtime.precision == precision.0.rawValue)
        for n in 0..<2 {
            var outputs = OutputSelection()
            outputs.pooling = [.last]
            outputs.embeddingLayer = 3
            let steps = try expected.shape("voice.\(n).input")[0]
            let input = SequenceInput.features(try expected.floats("voice.\(n).input"), steps: steps)
            let result = try #require(
                rounded.network.forward([SequenceRequest(input: input, outputs: outputs)], scratch: Scratch()).first)
            let (got, want) = (try #require(result.embedding), try expected.floats("voice.\(n).embedding"))
            func dot(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
            #expect(dot(got, want) / (dot(got, got) * dot(want, want)).squareRoot() >= precision.1)
        }
        let features = Array(try expected.floats("voice.0.input").prefix(12 * 40))
        for method in [AttentionMethod.writeContribution, .jacobian] {
            func weights(_ model: Model) throws -> [Float] {
                var outputs = OutputSelection()
                outputs.attention = Self.selection(method, model.description, queries: [3, 11])
                let request = SequenceRequest(input: .features(features, steps: 12), outputs: outputs)
                return try #require(model.network.forward([request], scratch: Scratch()).first?.attention).weights
            }
            #expect(relativeDifference(try weights(rounded), try weights(exact)) < 0.05, "\(method)")
        }
    }

    @Test(arguments: [
        (#""nonlinearity": "relu""#, "gru", "'nonlinearity' is for model_type 'rnn'"),
        (#""proj_size": 2"#, "gru", "only model_type 'lstm'"),
        (#""proj_size": 4"#, "lstm", "must be smaller than 'hidden_size'"),
        (#""output_activation": "relu""#, "rnn", "give its 'output_size'"),
        (#""output_activation": "selu", "output_size": 2"#, "rnn", "'output_activation' is 'selu'"),
        (#""id2label": ["a"]"#, "rnn", "give 'output_size'"),
        (#""pooling": "first""#, "rnn", "'pooling' is 'first'"),
        (#""num_layers": 0"#, "rnn", "'num_layers' is 0"),
        (#""bidirectional": "yes""#, "rnn", "'bidirectional' is 'yes'"),
        (#""vocab_size": -1"#, "rnn", "'vocab_size' is -1"),
    ])
    func refusesConfigurations(keys: String, family: String, message: String) throws {
        let json = #"{"model_type": "\#(family)", "input_size": 3, "hidden_size": 4, \#(keys)}"#
        let error = #expect(throws: FileError.self) {
            try LoaderTests.withDirectory(["config.json": json]) {
                _ = try RecurrentConfiguration(try #require(try ConfigurationFile.read("config.json", in: $0)))
            }
        }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "none")")
    }
}
