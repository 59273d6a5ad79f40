import Models

/// An `EncodeCall` fitted to a model: every index and shape is in range.
struct EncodePlan {
    let selection: OutputSelection
    let normalize: Bool
    /// The number of values of an embedding that are kept.
    let dimensions: Int
    /// The initial states, one a sequence; empty if they are zero.
    let initialStates: [RecurrentState]

    init(_ call: EncodeCall, _ description: ModelDescription, sequences: Int) throws(APIError) {
        var outputs = call.outputs
        if outputs.isEmpty {
            switch description.outputs.defaultOutput {
            case .embedding: outputs = [.embedding]
            case .logits: outputs = [.logits]
            case .sparse: outputs = [.sparse]
            }
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
        let layer = call.layer < 0 ? call.layer.addingReportingOverflow(count).partialValue : call.layer
        guard layer >= 0, layer < count else {
            throw .value(
                "layer",
                "'layer' is \(call.layer); this model has 0 (its embeddings) … \(count - 1), or -1 … \(-count).")
        }
        var selection = OutputSelection()
        let pooling = call.pooling.map { [$0] } ?? description.outputs.pooling
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
        selection.finalState = call.returnState
        if let dimensions = call.dimensions, dimensions < 1 || dimensions > size {
            throw .value("dimensions", "'dimensions' is \(dimensions); this embedding has \(size): take 1 … \(size).")
        }
        if description.architecture.stateShape == nil, call.returnState || call.initialState != nil {
            throw APIError(
                422, "no_state", param: call.returnState ? "return_state" : "initial_state",
                "This model (\(description.architecture.family)) is not recurrent and has no state.")
        }
        if let state = call.initialState, let shape = description.architecture.stateShape {
            initialStates = try StateReader(shape).read(state, sequences: sequences)
        } else {
            initialStates = []
        }
        self.selection = selection
        normalize = call.normalize ?? description.outputs.normalize
        dimensions = call.dimensions ?? size
    }

    /// Refuses more logits than one response may hold.
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

    /// Returns the first `dimensions` values of a pooled vector, scaled to unit length if `normalize` is set.
    func finish(_ embedding: [Float]) -> [Float] {
        let kept = Array(embedding.prefix(dimensions))
        return normalize ? L2Normalize.normalized(kept) : kept
    }
}
