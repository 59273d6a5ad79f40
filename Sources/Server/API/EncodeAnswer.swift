import Glibc
import HTTP
import JSON
import Models

/// What an answer is written as.
enum EncodeFormat: Sendable {
    case json, safetensors, npy

    /// What an Accept field (RFC 9110, section 12.5.1) prefers; JSON where it names none of ours.
    init(accept: String?) {
        self = .json
        var best = 0.0
        for item in (accept ?? "").split(separator: ",") {
            let parts = item.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
            guard let range = parts.first else { continue }
            let quality = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
            let format: EncodeFormat
            switch range {
            case SafetensorsWriter.mediaType: format = .safetensors
            case NPYWriter.mediaType: format = .npy
            case "application/json", "application/*", "*/*": format = .json
            default: continue
            }
            if quality > best {
                best = quality
                self = format
            }
        }
    }
}

/// The results of a request's sequences, made into an answer.
struct EncodeAnswer: Sendable {
    let model: Model
    let plan: EncodePlan
    let sequences: [(length: Int, truncated: Bool)]
    private(set) var results: [SequenceResult]

    init(model: Model, plan: EncodePlan, sequences: [(length: Int, truncated: Bool)], results: [SequenceResult]) {
        self.model = model
        self.plan = plan
        self.sequences = sequences
        self.results = results
        for i in results.indices { self.results[i].embedding = results[i].embedding.map(finished) }
    }

    /// The first `dimensions` values, then of unit length where asked.
    private func finished(_ embedding: [Float]) -> [Float] {
        let kept = Array(embedding.prefix(plan.dimensions))
        return plan.normalize ? L2Normalize.normalized(kept) : kept
    }

    func answer(_ format: EncodeFormat) throws(APIError) -> ResponseContent {
        switch format {
        case .json: return .json(json())
        case .safetensors:
            return .whole(
                HTTPResponse(
                    status: 200, headers: ["Content-Type": SafetensorsWriter.mediaType],
                    body: SafetensorsWriter.segments(tensors(), metadata: [("model", model.name)])))
        case .npy:
            let tensors = tensors()
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

    /// `embedding` [n, d]; `states.i` [tokens, hidden]; `logits` [n, labels] or `logits.i` [tokens, labels];
    /// `sparse.i` [2, n], token ids and their values;
    /// `state.hidden.i` and `state.cell.i`.
    func tensors() -> [BinaryTensor] {
        var tensors: [BinaryTensor] = []
        if !plan.selection.pooling.isEmpty {
            let rows = results.compactMap(\.embedding)
            tensors.append(
                BinaryTensor(
                    name: "embedding", shape: [rows.count, rows.first?.count ?? 0], floats: Array(rows.joined())))
        }
        func add(_ name: String, _ matrix: Matrix?) {
            guard let matrix else { return }
            tensors.append(BinaryTensor(name: name, shape: [matrix.rows, matrix.columns], floats: matrix.values))
        }
        for (i, result) in results.enumerated() {
            add("states.\(i)", result.states.first)
            if model.description.outputs.logitsPerToken { add("logits.\(i)", result.logits) }
            if let sparse = result.sparse {
                // Both as f32, which holds every token id below 2²⁴ exactly: [2, n], indices and values.
                let both = sparse.indices.map { Float($0) } + sparse.values
                tensors.append(BinaryTensor(name: "sparse.\(i)", shape: [2, sparse.values.count], floats: both))
            }
            add("state.hidden.\(i)", result.finalState?.hidden)
            add("state.cell.\(i)", result.finalState?.cell)
        }
        if plan.selection.logits, !model.description.outputs.logitsPerToken {
            let rows = results.compactMap(\.logits?.values)
            tensors.append(
                BinaryTensor(name: "logits", shape: [rows.count, rows.first?.count ?? 0], floats: Array(rows.joined())))
        }
        return tensors
    }

    // MARK: JSON

    func json() -> StreamedJSON {
        var parts = StreamedJSON()
        parts.add { json in
            json.beginObject()
            json.key("model")
            json.string(model.name)
            json.key("data")
            json.beginArray()
        }
        for (index, result) in results.enumerated() { add(result, index, to: &parts) }
        let total = sequences.reduce(0) { $0 + $1.length }
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

    private func add(_ result: SequenceResult, _ index: Int, to parts: inout StreamedJSON) {
        let sequence = sequences[index]
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
            if model.description.outputs.logitsPerToken {
                add(logits, to: &parts)
            } else {
                add(logits.values, to: &parts)
                parts.add { writeLabels(logits.values, &$0) }
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
            // Always numbers, so that it can be sent back as it is.
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
        switch plan.encodingFormat {
        case .float: parts.add(floats: vector)
        case .base64: parts.add(base64: vector)
        }
    }

    private func add(_ matrix: Matrix, to parts: inout StreamedJSON) {
        switch plan.encodingFormat {
        case .float: parts.add(rows: matrix.rows, columns: matrix.columns) { matrix.row($0) }
        case .base64: parts.add(base64: matrix.values)
        }
    }

    private func writeLabels(_ logits: [Float], _ json: inout JSONWriter) {
        guard let names = model.description.outputs.labels, names.count == logits.count else { return }
        let order = model.description.outputs.scores.scores(logits).enumerated().sorted {
            ($1.element, $0.offset) < ($0.element, $1.offset)
        }
        json.key("labels")
        json.array { json in
            for (index, score) in order {
                json.object { json in
                    json.key("label")
                    json.string(names[index])
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

/// RFC 4648, section 4.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity((bytes.count + 2) / 3 * 4)
        var i = 0
        while i < bytes.count {
            let b1 = i + 1 < bytes.count ? bytes[i + 1] : 0
            let b2 = i + 2 < bytes.count ? bytes[i + 2] : 0
            out.append(alphabet[Int(bytes[i] >> 2)])
            out.append(alphabet[Int((bytes[i] & 3) << 4 | b1 >> 4)])
            out.append(i + 1 < bytes.count ? alphabet[Int((b1 & 15) << 2 | b2 >> 6)] : UInt8(ascii: "="))
            out.append(i + 2 < bytes.count ? alphabet[Int(b2 & 63)] : UInt8(ascii: "="))
            i += 3
        }
        return out
    }
}
