import HTTP
import JSON
import Models

/// The media type of an encode response.
package enum EncodeFormat: Sendable {
    case json, safetensors, npy

    /// Chooses the format that an Accept field prefers; JSON if it names none of these.
    init(accept: String?) {
        self =
            WeightedList(accept).preferred { range in
                switch range {
                case SafetensorsWriter.mediaType: .safetensors
                case NPYWriter.mediaType: .npy
                case "application/json", "application/*", "*/*": .json
                default: nil
                }
            } ?? .json
    }
}

/// The response of `POST /v1/encode`.
package struct EncodeResponse: Sendable {
    let results: EncodeResults
    let encodingFormat: EncodingFormat

    package init(_ results: EncodeResults, encodingFormat: EncodingFormat = .float) {
        self.results = results
        self.encodingFormat = encodingFormat
    }

    /// Writes the response in a format. Throws if the format cannot hold the results.
    package func content(_ format: EncodeFormat) throws(APIError) -> ResponseContent {
        switch format {
        case .json: return .json(json())
        case .safetensors:
            return .whole(
                HTTPResponse(
                    status: 200, headers: ["Content-Type": SafetensorsWriter.mediaType],
                    body: SafetensorsWriter.segments(results.tensors(), metadata: [("model", results.model.name)])))
        case .npy:
            let tensors = results.tensors()
            guard tensors.count == 1, let tensor = tensors.first else {
                throw APIError(
                    400, "not_representable", param: "Accept",
                    "npy holds one array and this answer has \(tensors.count); ask for \(SafetensorsWriter.mediaType), "
                        + "for one output, or for one sequence at a time.")
            }
            return .whole(
                HTTPResponse(
                    status: 200, headers: ["Content-Type": NPYWriter.mediaType], body: NPYWriter.segments(tensor)))
        }
    }

    /// Returns `{"model", "data": [{"index", …}], "usage"}`.
    package func json() -> StreamedJSON {
        var parts = StreamedJSON()
        parts.add { json in
            json.beginObject()
            json.key("model")
            json.string(results.model.name)
            json.key("data")
            json.beginArray()
        }
        for index in results.results.indices { add(index, index: index, to: &parts) }
        let total = results.tokens
        parts.add { json in
            json.endArray()
            json.key("usage")
            json.object { json in
                json.key("prompt_tokens")
                json.int(total)
                json.key("total_tokens")
                json.int(total)
            }
            json.endObject()
        }
        return parts
    }

    /// Returns the elements of `data`, one a sequence, each as JSON.
    /// - Parameter firstIndex: The `index` of the first sequence.
    package func items(firstIndex: Int) -> [[UInt8]] {
        results.results.indices.map { position in
            var parts = StreamedJSON()
            add(position, index: firstIndex + position, to: &parts)
            return parts.bytes()
        }
    }

    /// Adds the element of `data` for the sequence at `position`.
    private func add(_ position: Int, index: Int, to parts: inout StreamedJSON) {
        let (sequence, result) = (results.sequences[position], results.results[position])
        parts.add { json in
            json.beginObject()
            json.key("index")
            json.int(index)
            json.key("tokens")
            json.int(sequence.length)
            json.key("truncated")
            json.bool(sequence.truncated)
        }
        if let embedding = result.embedding {
            parts.add { $0.key("embedding") }
            add(embedding, to: &parts)
        }
        if let states = result.states.first {
            parts.add { $0.key("states") }
            add(states, to: &parts)
        }
        if let logits = result.logits {
            parts.add { $0.key("logits") }
            if results.model.description.outputs.logitsPerToken {
                add(logits, to: &parts)
            } else {
                add(logits.values, to: &parts)
                parts.add { [results] json in
                    if let labels = results.labels(logits.values) { EncodeResponse.write(labels, &json) }
                }
            }
        }
        if let sparse = result.sparse {
            parts.add { json in
                json.key("sparse")
                json.beginObject()
                json.key("index")
                json.beginArray()
            }
            parts.retain(bytes: 4 * sparse.indices.count)
            parts.add(sparse.indices.count, bytes: 6) { json, i in json.int(Int(sparse.indices[i])) }
            parts.add { json in
                json.endArray()
                json.key("value")
            }
            parts.add(floats: sparse.values)
            parts.add { $0.endObject() }
        }
        if let state = result.finalState {
            // Numbers in either encoding, so that a client can send the state back as it is.
            parts.add { json in
                json.key("state")
                json.beginObject()
                json.key("hidden")
            }
            parts.add(rows: state.hidden.rows, columns: state.hidden.columns) { state.hidden.row($0) }
            if let cell = state.cell {
                parts.add { $0.key("cell") }
                parts.add(rows: cell.rows, columns: cell.columns) { cell.row($0) }
            }
            parts.add { $0.endObject() }
        }
        parts.add { $0.endObject() }
    }

    private func add(_ vector: [Float], to parts: inout StreamedJSON) {
        switch encodingFormat {
        case .float: parts.add(floats: vector)
        case .base64: parts.add(base64: vector)
        }
    }

    private func add(_ matrix: Matrix, to parts: inout StreamedJSON) {
        switch encodingFormat {
        case .float: parts.add(rows: matrix.rows, columns: matrix.columns) { matrix.row($0) }
        case .base64: parts.add(base64: matrix.values)
        }
    }

    private static func write(_ labels: [(label: String, score: Float)], _ json: inout JSONWriter) {
        json.key("labels")
        json.array { json in
            for (label, score) in labels {
                json.object { json in
                    json.key("label")
                    json.string(label)
                    json.key("score")
                    json.float(score)
                }
            }
        }
    }
}

extension Matrix {
    fileprivate func row(_ index: Int) -> ArraySlice<Float> { values[index * columns..<(index + 1) * columns] }
}
