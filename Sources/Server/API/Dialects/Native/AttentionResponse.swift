import HTTP
import JSON
import Models

/// The response of `/v1/attention`.
///
/// `tokens` label the columns; hidden ones are left out. `queries` (if chosen) gives the sequence position of each row,
/// `keys` (if columns are not simply the whole sequence) that of each column. A recurrent initial state has −1, so that
/// `tokens` has one entry for each key but that.
package struct AttentionResponse: Sendable {
    private var results: AttentionResults
    private let limits: AttentionLimits

    private var plan: AttentionPlan { results.plan }
    private var options: AttentionCall.Options { results.plan.options }
    private var view: AttentionView { results.view }
    private var tokens: [AttentionToken] { results.tokens }

    package init(_ results: AttentionResults, limits: AttentionLimits = AttentionLimits()) {
        self.results = results
        self.limits = limits
    }

    /// Writes the response in the format that the call names.
    package func content() throws(APIError) -> ResponseContent {
        let body: [any ByteSegment]
        switch plan.format {
        case .json: return .json(try json())
        case .npy:
            body = NPYWriter.segments(
                BinaryTensor(name: "attention", shape: view.shape, floats: view.weights, as: options.dtype))
        case .safetensors: body = safetensors()
        case .svg: body = [ArraySegment(try picture().svg())]
        case .png: body = [ArraySegment(try picture().png())]
        }
        return .whole(HTTPResponse(status: 200, headers: ["Content-Type": plan.format.mediaType], body: body))
    }

    private var note: String { plan.selection.method.note(rowsAreDistributions: results.rowSumMaxError != nil) }

    private var showsKeys: Bool { view.keys != Array(0..<tokens.count) }
    private var shownTokens: [AttentionToken] { view.keys.filter { $0 >= 0 }.map { tokens[$0] } }

    func json() throws(APIError) -> StreamedJSON {
        let sparse = options.select.map { AttentionSparse(view, keeping: $0) }
        if let sparse { try AttentionPlan.checkJSON(sparse.indices.count, limits) }
        let rows = view.shape.dropLast()
        // The frame is kept until the end of the response, without the weights that a selection leaves out.
        var frame = self
        if sparse != nil { frame.results.view.dropWeights() }
        var parts = StreamedJSON()
        parts.add(bytes: 128 * tokens.count) { [frame] json in
            json.beginObject()
            json.key("model")
            json.string(frame.results.model)
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
        if let summary = results.summary {
            parts.add { json in
                json.key("summary")
                json.beginObject()
                json.key("entropy")
            }
            parts.add(nested: results.summaryShape[...], bytes: 13) { json, map in json.float(summary.entropy[map]) }
            parts.add { $0.key("distance") }
            parts.add(nested: results.summaryShape[...], bytes: 13) { json, map in json.float(summary.distance[map]) }
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
        if let select = options.select {
            let sparse = AttentionSparse(view, keeping: select)
            tensors = [
                BinaryTensor(
                    name: "row_offsets", shape: [sparse.offsets.count], integers: sparse.offsets.map(Int64.init)),
                BinaryTensor(name: "index", shape: [sparse.indices.count], integers: sparse.indices.map(Int64.init)),
                BinaryTensor(name: "value", shape: [sparse.values.count], floats: sparse.values, as: options.dtype),
                BinaryTensor(
                    name: "row_residual", shape: view.shape.dropLast(), floats: sparse.residuals, as: options.dtype),
            ]
        } else {
            tensors = [BinaryTensor(name: "attention", shape: view.shape, floats: view.weights, as: options.dtype)]
        }
        if let summary = results.summary {
            tensors.append(BinaryTensor(name: "summary.entropy", shape: results.summaryShape, floats: summary.entropy))
            tensors.append(
                BinaryTensor(name: "summary.distance", shape: results.summaryShape, floats: summary.distance))
        }
        func text(_ write: (inout JSONWriter) -> Void) -> String {
            var json = JSONWriter()
            write(&json)
            return String(decoding: json.bytes, as: UTF8.self)
        }
        return SafetensorsWriter.segments(
            tensors,
            metadata: [
                ("model", results.model), ("note", note), ("tokens", text(writeTokens)), ("checks", text(writeChecks)),
                ("maps", text { json in json.object { json in writeAxes(&json) } }),
            ])
    }

    /// Writes the members `method axes shape layers heads|directions queries keys` of an open object.
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
                ("row_sum_max_error", results.rowSumMaxError),
                ("reconstruction_max_error", results.reconstructionMaxError),
            ] {
                json.key(name)
                if let error { json.float(error) } else { json.null() }
            }
            json.key("precision")
            json.string(results.description.runtime.precision)
            json.key("kernel")
            json.string(results.description.runtime.instructionSet.rawValue)
        }
    }

    private func picture() throws(APIError) -> AttentionPicture {
        func label(_ position: Int) -> String { position < 0 ? "initial" : tokens[position].text }
        var weights = view.weights
        var subtitle = "Weights are not necessarily an explanation."
        if let select = options.select {
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
                if options.headReduce == .none {
                    names += selection.heads.map { "layer \(layer), \(axis.rawValue) \($0)" }
                } else {
                    names.append("layer \(layer), \(options.headReduce.rawValue) of \(selection.heads.count) heads")
                }
            }
        } else {
            names = ["whole network"]
        }
        do throws(AttentionPicture.TooLarge) {
            return try AttentionPicture(
                title: "\(results.model): \(selection.method.rawValue)", subtitle: subtitle, panelNames: names,
                panelsPerLine: options.headReduce == .none && selection.method.hasLayers ? selection.heads.count : 0,
                rowLabels: view.queries.map(label), columnLabels: view.keys.map(label), weights: weights,
                maxCells: plan.format == .svg ? limits.vectorCells : nil,
                maxPixels: plan.format == .png ? limits.pixels : nil)
        } catch {
            let (size, alternative) =
                switch error {
                case .cells(let cells, let limit):
                    ("\(cells) cells is more than the \(limit) of an SVG", " or for 'format' png")
                case .pixels(let width, let height, let limit):
                    ("\(width) × \(height) pixels is more than the \(limit) of a PNG", "")
                }
            throw APIError(
                413, "picture_too_large", param: "format",
                "A picture of \(size): ask for fewer 'layers', 'heads' or 'queries', or for "
                    + "'head_reduce'\(alternative).")
        }
    }
}
