import HTTP
import JSON
import Models

/// One position of the sequence, as an answer names it.
struct AttentionToken: Sendable, Equatable {
    var text: String
    /// nil for features, which have steps.
    var id: Int?
    /// Unicode code points of the text sent, [start, end).
    var start: Int
    var end: Int
    var special: Bool

    init(text: String, id: Int?, start: Int, end: Int, special: Bool) {
        self.text = text
        self.id = id
        self.start = start
        self.end = end
        self.special = special
    }
}

/// Weight maps made into an answer.
///
/// `tokens` label the columns; hidden ones are left out. `queries` (when chosen) and `keys` (when columns are not
/// simply the whole sequence) give the sequence position of each row and column, −1 for a recurrent initial state, so
/// that `tokens` has one entry for each key but that.
struct AttentionAnswer: Sendable {
    let model: String
    let description: ModelDescription
    let request: AttentionRequest
    let plan: AttentionPlan
    let tokens: [AttentionToken]
    let reconstructionMaxError: Float?
    let rowSumMaxError: Float?
    let summary: AttentionSummary?
    /// Sizes of the axes that the summary has a value for.
    private let summaryShape: [Int]
    private(set) var view: AttentionView

    /// - Parameter tokens: one a position of the sequence.
    init(
        model: String, description: ModelDescription, request: AttentionRequest, plan: AttentionPlan,
        tokens: [AttentionToken], maps: AttentionMaps
    ) {
        self.model = model
        self.description = description
        self.request = request
        self.plan = plan
        self.tokens = tokens
        reconstructionMaxError = maps.reconstructionMaxError
        rowSumMaxError = maps.rowSumMaxError
        summary = AttentionSummary(maps, selection: plan.selection, length: tokens.count)
        summaryShape = Array(maps.shape.dropLast(2))
        var view = AttentionView(maps, selection: plan.selection, length: tokens.count)
        view.reduceHeads(request.headReduce)
        view.apply(request.specialTokens, special: tokens.map(\.special))
        self.view = view
    }

    func answer(_ limits: AttentionLimits) throws(APIError) -> ResponseContent {
        let body: [any ByteSegment]
        switch plan.format {
        case .json: return .json(try json(limits))
        case .npy:
            body = NPYWriter.segments(
                BinaryTensor(name: "attention", shape: view.shape, floats: view.weights, as: request.dtype))
        case .safetensors: body = safetensors()
        case .svg: body = [ArraySegment(try picture(limits).svg())]
        case .png: body = [ArraySegment(try picture(limits).png())]
        }
        return .whole(HTTPResponse(status: 200, headers: ["Content-Type": plan.format.mediaType], body: body))
    }

    private var note: String { plan.selection.method.note(rowsAreDistributions: rowSumMaxError != nil) }

    private var showsKeys: Bool { view.keys != Array(0..<tokens.count) }
    private var shownTokens: [AttentionToken] { view.keys.filter { $0 >= 0 }.map { tokens[$0] } }

    func json(_ limits: AttentionLimits) throws(APIError) -> StreamedJSON {
        let sparse = request.select.map { AttentionSparse(view, keeping: $0) }
        if let sparse { try AttentionPlan.checkJSON(sparse.indices.count, limits) }
        let rows = view.shape.dropLast()
        // What stands around the weights is written at the beginning and the end: it does not keep those that are left out.
        var frame = self
        if sparse != nil { frame.view.dropWeights() }
        var parts = StreamedJSON()
        parts.add(bytes: 128 * tokens.count) { [frame] json in
            json.beginObject()
            json.key("model")
            json.string(frame.model)
            frame.writeAxes(&json)
            json.key("tokens")
            frame.writeTokens(&json)
        }
        if let sparse {
            let perRow = sparse.indices.count / max(1, sparse.offsets.count - 1)
            parts.retain(
                bytes: (sparse.indices.count + sparse.offsets.count) * MemoryLayout<Int>.size
                    + (sparse.values.count + sparse.residuals.count) * MemoryLayout<Float>.size)
            parts.add { json in
                json.key("sparse")
                json.beginObject()
                json.key("index")
            }
            parts.add(nested: rows, bytes: 6 * perRow) { json, row in
                json.ints(sparse.indices[sparse.offsets[row]..<sparse.offsets[row + 1]])
            }
            parts.add { $0.key("value") }
            parts.add(nested: rows, bytes: 13 * perRow) { json, row in
                json.floats(sparse.values[sparse.offsets[row]..<sparse.offsets[row + 1]])
            }
            parts.add { $0.key("row_residual") }
            parts.add(nested: rows, bytes: 13) { json, row in json.float(sparse.residuals[row]) }
            parts.add { $0.endObject() }
        } else {
            parts.retain(bytes: view.weights.count * MemoryLayout<Float>.size)
            parts.add { $0.key("attention") }
            parts.add(nested: rows, bytes: 13 * view.keys.count) { json, row in json.floats(view.row(row)) }
        }
        if let summary {
            parts.add { json in
                json.key("summary")
                json.beginObject()
                json.key("entropy")
            }
            parts.add(nested: summaryShape[...], bytes: 13) { json, map in json.float(summary.entropy[map]) }
            parts.add { $0.key("distance") }
            parts.add(nested: summaryShape[...], bytes: 13) { json, map in json.float(summary.distance[map]) }
            parts.add { $0.endObject() }
        }
        parts.add { [frame] json in
            json.key("checks")
            frame.writeChecks(&json)
            json.key("note")
            json.string(frame.note)
            json.endObject()
        }
        return parts
    }

    private func safetensors() -> [any ByteSegment] {
        var tensors: [BinaryTensor] = []
        if let select = request.select {
            let sparse = AttentionSparse(view, keeping: select)
            tensors = [
                BinaryTensor(
                    name: "row_offsets", shape: [sparse.offsets.count], integers: sparse.offsets.map(Int64.init)),
                BinaryTensor(name: "index", shape: [sparse.indices.count], integers: sparse.indices.map(Int64.init)),
                BinaryTensor(name: "value", shape: [sparse.values.count], floats: sparse.values, as: request.dtype),
                BinaryTensor(
                    name: "row_residual", shape: view.shape.dropLast(), floats: sparse.residuals, as: request.dtype),
            ]
        } else {
            tensors = [BinaryTensor(name: "attention", shape: view.shape, floats: view.weights, as: request.dtype)]
        }
        if let summary {
            tensors.append(BinaryTensor(name: "summary.entropy", shape: summaryShape, floats: summary.entropy))
            tensors.append(BinaryTensor(name: "summary.distance", shape: summaryShape, floats: summary.distance))
        }
        func text(_ write: (inout JSONWriter) -> Void) -> String {
            var json = JSONWriter()
            write(&json)
            return String(decoding: json.bytes, as: UTF8.self)
        }
        return SafetensorsWriter.segments(
            tensors,
            metadata: [
                ("model", model), ("note", note), ("tokens", text(writeTokens)), ("checks", text(writeChecks)),
                ("maps", text { json in json.object { json in writeAxes(&json) } }),
            ])
    }

    /// Members `method axes shape layers heads|directions queries keys` of an open object.
    private func writeAxes(_ json: inout JSONWriter) {
        let selection = plan.selection
        json.key("method")
        json.string(selection.method.rawValue)
        json.key("axes")
        json.array { json in for axis in view.axes { json.string(axis) } }
        json.key("shape")
        json.ints(view.shape)
        if let axis = selection.method.axis {
            json.key("layers")
            json.ints(selection.layers)
            json.key(axis.plural)
            json.ints(selection.heads)
        }
        if plan.namesQueries {
            json.key("queries")
            json.ints(view.queries)
        }
        if showsKeys {
            json.key("keys")
            json.ints(view.keys)
        }
    }

    private func writeTokens(_ json: inout JSONWriter) {
        json.array { json in
            for token in shownTokens {
                json.object { json in
                    json.key("text")
                    json.string(token.text)
                    if let id = token.id {
                        json.key("id")
                        json.int(id)
                    }
                    json.key("start")
                    json.int(token.start)
                    json.key("end")
                    json.int(token.end)
                    json.key("special")
                    json.bool(token.special)
                }
            }
        }
    }

    private func writeChecks(_ json: inout JSONWriter) {
        json.object { json in
            for (name, error) in [
                ("row_sum_max_error", rowSumMaxError), ("reconstruction_max_error", reconstructionMaxError),
            ] {
                json.key(name)
                if let error { json.float(error) } else { json.null() }
            }
            json.key("precision")
            json.string(description.runtime.precision)
            json.key("kernel")
            json.string(description.runtime.instructionSet.rawValue)
        }
    }

    func picture(_ limits: AttentionLimits) throws(APIError) -> AttentionPicture {
        func label(_ position: Int) -> String { position < 0 ? "initial" : tokens[position].text }
        var weights = view.weights
        var subtitle = "Weights are not necessarily an explanation."
        if let select = request.select {
            let sparse = AttentionSparse(view, keeping: select)
            weights = [Float](repeating: 0, count: weights.count)
            for row in 0..<view.rowCount {
                for entry in sparse.offsets[row]..<sparse.offsets[row + 1] {
                    weights[row * view.keys.count + sparse.indices[entry]] = sparse.values[entry]
                }
            }
            subtitle =
                switch select {
                case .topK(let count): "Only the \(count) largest weights of each row are drawn."
                case .mass(let share): "Only the largest weights of each row, \(share) of its sum, are drawn."
                }
        }
        var names: [String] = []
        let selection = plan.selection
        if let axis = selection.method.axis {
            for layer in selection.layers {
                if request.headReduce == .none {
                    names += selection.heads.map { "layer \(layer), \(axis.rawValue) \($0)" }
                } else {
                    names.append("layer \(layer), \(request.headReduce.rawValue) of \(selection.heads.count) heads")
                }
            }
        } else {
            names = ["whole network"]
        }
        return try AttentionPicture(
            title: "\(model): \(selection.method.rawValue)", subtitle: subtitle, panelNames: names,
            panelsPerLine: request.headReduce == .none && selection.method.hasLayers ? selection.heads.count : 0,
            rowLabels: view.queries.map(label), columnLabels: view.keys.map(label), weights: weights,
            maxCells: plan.format == .svg ? limits.vectorCells : nil,
            maxPixels: plan.format == .png ? limits.pixels : nil)
    }
}
