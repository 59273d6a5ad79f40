import Diagnostics
import JSON
import Models

enum EncodeOutput: String, CaseIterable { case embedding, states, logits, sparse }
enum EncodingFormat: String, CaseIterable { case float, base64 }

/// The fields of /v1/encode, as far as they can be checked without a model.
struct EncodeRequest {
    static let fields = [
        "model", "input", "output", "layer", "pooling", "normalize", "dimensions", "truncate", "initial_state",
        "return_state", "encoding_format", "prompt", "prompt_name",
    ]

    let model: String?
    let input: JSONValue
    /// Empty: the model's default.
    let outputs: [EncodeOutput]
    let layer: Int
    let pooling: Pooling?
    let normalize: Bool?
    let dimensions: Int?
    let truncate: Bool
    let initialState: JSONValue?
    let returnState: Bool
    let encodingFormat: EncodingFormat
    let prompt: String?
    let promptName: String?

    init(_ body: JSONValue) throws(APIError) {
        let fields = try FieldReader(body, name: "/v1/encode", fields: EncodeRequest.fields)
        guard let input = fields["input"] else {
            throw APIError(400, "missing_field", param: "input", "'input' is required: a sequence or an array of them.")
        }
        self.input = input
        model = try fields.string("model")
        outputs = try EncodeRequest.outputs(fields["output"])
        layer = try fields.integer("layer") ?? -1
        pooling = try fields.option("pooling")
        normalize = try fields.bool("normalize")
        dimensions = try fields.integer("dimensions")
        truncate = try fields.bool("truncate") ?? true
        initialState = fields["initial_state"]
        returnState = try fields.bool("return_state") ?? false
        encodingFormat = try fields.option("encoding_format") ?? .float
        prompt = try fields.string("prompt")
        promptName = try fields.string("prompt_name")
        if prompt != nil, promptName != nil {
            throw .value("prompt", "'prompt' is a text and 'prompt_name' the name of one; send one of them.")
        }
    }

    /// What stands before the texts: that of the request, else the one of the name it gives, else the model's default.
    func prompt(_ description: ModelDescription) throws(APIError) -> String {
        if let prompt { return prompt }
        guard let name = promptName ?? description.prompts.defaultName else { return "" }
        guard let found = description.prompts.texts.first(where: { $0.name == name }) else {
            let known = description.prompts.texts.map(\.name).joined(separator: ", ")
            throw .value(
                "prompt_name",
                "'prompt_name' is '\(name.excerpt())'; "
                    + (known.isEmpty ? "this model has no prompts." : "this model has \(known)."))
        }
        return found.text
    }

    private static func outputs(_ value: JSONValue?) throws(APIError) -> [EncodeOutput] {
        guard let value else { return [] }
        guard let array = value.elements else {
            if value.string == nil { throw .type("output", "a string or an array of strings", found: value) }
            return [try FieldReader.option(value, "output")]
        }
        guard array.count > 0 else {
            throw .value("output", "'output' is an empty array; name one or more of embedding, states, logits, sparse.")
        }
        var outputs: [EncodeOutput] = []
        for (position, item) in array.enumerated() {
            let output: EncodeOutput = try FieldReader.option(item, "output[\(position)]")
            if outputs.contains(output) {
                throw .value("output[\(position)]", "'output' names \(output.rawValue) more than once.")
            }
            outputs.append(output)
        }
        return outputs
    }
}

/// A request fitted to a model: every index and shape is in range.
struct EncodePlan {
    let outputs: [EncodeOutput]
    let selection: OutputSelection
    let normalize: Bool
    /// Values of an embedding that are kept.
    let dimensions: Int
    let encodingFormat: EncodingFormat
    /// One a sequence, or empty.
    let initialStates: [RecurrentState]

    init(_ request: EncodeRequest, _ description: ModelDescription, sequences: Int) throws(APIError) {
        var outputs = request.outputs
        if outputs.isEmpty {
            outputs = [EncodeOutput(rawValue: description.outputs.defaultOutput.rawValue) ?? .embedding]
        }
        if outputs.contains(.sparse), description.outputs.sparse == nil {
            throw APIError(
                422, "no_head", param: "output",
                "This model has no head of a masked language model and makes no sparse vectors; ask for embedding or states."
            )
        }
        if outputs.contains(.logits), description.outputs.logitsSize == nil {
            throw APIError(
                422, "no_head", param: "output",
                "This model has no head and makes no logits; ask for embedding or states.")
        }
        let count = description.architecture.stateSizes.count
        let layer = request.layer < 0 ? request.layer.addingReportingOverflow(count).partialValue : request.layer
        guard layer >= 0, layer < count else {
            throw .value(
                "layer",
                "'layer' is \(request.layer); this model has 0 (its embeddings) … \(count - 1), or -1 … \(-count).")
        }
        var selection = OutputSelection()
        let pooling = request.pooling.map { [$0] } ?? description.outputs.pooling
        let isLast = layer == count - 1
        // The result of a recurrent model's output layer has a width of its own; modules of sentence-transformers change it.
        let width = isLast ? description.outputs.pooledWidth : description.architecture.stateSizes[layer]
        let modulesWidth = isLast ? description.outputs.modulesWidth : nil
        let size = modulesWidth == nil ? width * pooling.count : description.outputs.embeddingSize
        if outputs.contains(.embedding) {
            if let wanted = modulesWidth, wanted != width * pooling.count {
                throw APIError(
                    422, "wrong_pooling_width", param: "pooling",
                    "A module behind the pooling takes \(wanted) values, which this model's own pooling makes; one way of "
                        + "pooling makes \(width). Leave 'pooling' out, or ask for another 'layer'."
                )
            }
            selection.pooling = pooling
            selection.embeddingLayer = layer
        }
        if outputs.contains(.states) { selection.stateLayers = [layer] }
        selection.logits = outputs.contains(.logits)
        selection.sparse = outputs.contains(.sparse) ? description.outputs.sparse : nil
        selection.finalState = request.returnState
        if let dimensions = request.dimensions, dimensions < 1 || dimensions > size {
            throw .value("dimensions", "'dimensions' is \(dimensions); this embedding has \(size): take 1 … \(size).")
        }
        if description.architecture.stateShape == nil, request.returnState || request.initialState != nil {
            throw APIError(
                422, "no_state", param: request.returnState ? "return_state" : "initial_state",
                "This model (\(description.architecture.family)) is not recurrent and has no state.")
        }
        if let state = request.initialState, let shape = description.architecture.stateShape {
            initialStates = try EncodePlan.states(state, shape, sequences: sequences)
        } else {
            initialStates = []
        }
        self.outputs = outputs
        self.selection = selection
        normalize = request.normalize ?? description.outputs.normalize
        dimensions = request.dimensions ?? size
        encodingFormat = request.encodingFormat
    }

    /// Refuses more logits than one answer may hold.
    func check(
        _ sequences: [PreparedSequence], _ description: ModelDescription, _ limits: RequestLimits
    ) throws(APIError) {
        guard selection.logits, description.outputs.logitsPerToken, let size = description.outputs.logitsSize else {
            return
        }
        let tokens = sequences.reduce(0) { $0 + $1.length }
        let count = tokens.multipliedReportingOverflow(by: size)
        guard !count.overflow, count.partialValue <= limits.maxLogits else {
            throw APIError(
                413, "too_many_logits", param: "output",
                "\(tokens) tokens with \(size) logits each are more than the \(limits.maxLogits) one answer may have; send "
                    + "fewer at once" + (description.outputs.sparse == nil ? "." : ", or ask for 'sparse'."))
        }
    }

    func requests(_ sequences: [PreparedSequence]) -> [SequenceRequest] {
        sequences.enumerated().map { position, sequence in
            var selection = selection
            selection.poolingStart = sequence.promptTokens
            if position < initialStates.count { selection.initialState = initialStates[position] }
            return SequenceRequest(input: sequence.input, outputs: selection)
        }
    }

    private static func states(
        _ value: JSONValue, _ shape: RecurrentStateShape, sequences: Int
    ) throws(APIError) -> [RecurrentState] {
        guard let array = value.elements else {
            guard sequences == 1 else {
                throw .value(
                    "initial_state", "There are \(sequences) sequences: send an array of as many states, one for each.")
            }
            return [try state(value, "initial_state", shape)]
        }
        guard array.count == sequences else {
            throw .value("initial_state", "\(array.count) states for \(sequences) sequences; send one for each.")
        }
        var states: [RecurrentState] = []
        for (position, item) in array.enumerated() {
            states.append(try state(item, "initial_state[\(position)]", shape))
        }
        return states
    }

    private static func state(
        _ value: JSONValue, _ param: String, _ shape: RecurrentStateShape
    ) throws(APIError) -> RecurrentState {
        let names = shape.cell > 0 ? ["hidden", "cell"] : ["hidden"]
        let fields = try FieldReader(value, name: "this model's state", param: param, fields: names)
        func matrix(_ name: String, _ columns: Int) throws(APIError) -> Matrix {
            let param = "\(param).\(name)"
            guard let value = fields[name] else {
                throw APIError(
                    400, "missing_field", param: param,
                    "This model's state needs '\(name)', [\(shape.rows), \(columns)].")
            }
            guard let rows = value.elements else { throw .type(param, "an array of arrays of numbers", found: value) }
            guard rows.count == shape.rows else {
                throw APIError(
                    400, "invalid_shape", param: param,
                    "'\(param)' has \(rows.count) rows; this model's state is [\(shape.rows), \(columns)].")
            }
            let values = try SequenceReader.matrix(
                rows, param, columns: columns, code: "invalid_shape", what: "the state's width", rows: rows.count)
            return Matrix(rows: shape.rows, columns: columns, values: values)
        }
        return RecurrentState(
            hidden: try matrix("hidden", shape.hidden), cell: shape.cell > 0 ? try matrix("cell", shape.cell) : nil)
    }
}
