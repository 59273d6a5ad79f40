import HTTP
import JSON
import Server

/// The results of a chunk, as its sink takes them.
struct EncodedChunk: Sendable {
    enum Content: Sendable {
        /// Text, one a sequence.
        case items([[UInt8]])
        case tensors([BinaryTensor])
    }

    let content: Content
    /// The number of tokens or steps of all sequences.
    let tokens: Int
    /// Whether each sequence was cut.
    let truncated: [Bool]

    /// - Parameter first: The number of the first sequence.
    init(_ results: EncodeResults, first: Int, _ sink: any EncodeSink) {
        content = sink.render(results, first: first)
        tokens = results.tokens
        truncated = results.sequences.map(\.truncated)
    }
}

/// A writer of results to standard output. Rendering happens on any thread; writing in order.
protocol EncodeSink: Sendable {
    func render(_ results: EncodeResults, first: Int) -> EncodedChunk.Content
    mutating func write(_ chunk: EncodedChunk) throws
    mutating func finish() throws
}

/// JSON lines, one per sequence: the array of an embedding, or the object of a sequence as in the `data` of `/v1/encode`.
struct JSONLinesSink: EncodeSink {
    let isEmbeddings: Bool

    func render(_ results: EncodeResults, first: Int) -> EncodedChunk.Content {
        guard isEmbeddings else { return .items(EncodeResponse(results).items(firstIndex: first)) }
        return .items(
            results.results.map { result in
                var json = JSONWriter()
                json.floats(result.embedding ?? [])
                return json.bytes
            })
    }

    mutating func write(_ chunk: EncodedChunk) throws {
        guard case .items(let items) = chunk.content else { return }
        var lines: [UInt8] = []
        lines.reserveCapacity(items.reduce(0) { $0 + $1.count + 1 })
        for item in items {
            lines += item
            lines.append(UInt8(ascii: "\n"))
        }
        try StandardOutput.write(lines)
    }

    mutating func finish() {}
}

/// A single response of `/v1/encode`.
struct FullJSONSink: EncodeSink {
    let model: String
    private var sequences = 0
    private var tokens = 0

    init(model: String) { self.model = model }

    func render(_ results: EncodeResults, first: Int) -> EncodedChunk.Content {
        .items(EncodeResponse(results).items(firstIndex: first))
    }

    mutating func write(_ chunk: EncodedChunk) throws {
        guard case .items(let items) = chunk.content else { return }
        var bytes = sequences == 0 ? beginning : []
        for item in items {
            if sequences > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes += item
            sequences += 1
        }
        tokens += chunk.tokens
        try StandardOutput.write(bytes)
    }

    mutating func finish() throws {
        let end = "],\"usage\":{\"prompt_tokens\":\(tokens),\"total_tokens\":\(tokens)}}\n"
        try StandardOutput.write((sequences == 0 ? beginning : []) + Array(end.utf8))
    }

    private var beginning: [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("model")
        json.string(model)
        json.key("data")
        json.beginArray()
        return json.bytes
    }
}

/// An npy array or a safetensors file, written at the end.
struct TensorSink: EncodeSink {
    let model: String
    let isNPY: Bool
    /// Tensors with a row per sequence, which grow with every chunk, in the order of their names' appearance.
    private var rows: [(name: String, columns: Int, values: [Float])] = []
    /// Tensors of one sequence each.
    private var others: [BinaryTensor] = []

    init(model: String, isNPY: Bool) {
        self.model = model
        self.isNPY = isNPY
    }

    func render(_ results: EncodeResults, first: Int) -> EncodedChunk.Content {
        .tensors(results.tensors(firstIndex: first))
    }

    mutating func write(_ chunk: EncodedChunk) throws {
        guard case .tensors(let tensors) = chunk.content else { return }
        for tensor in tensors {
            guard case .f32(let values) = tensor.values, ["embedding", "logits"].contains(tensor.name) else {
                others.append(tensor)
                continue
            }
            if let index = rows.firstIndex(where: { $0.name == tensor.name }) {
                rows[index].values += values
            } else {
                rows.append((tensor.name, tensor.shape.last ?? 0, values))
            }
        }
        if isNPY, rows.count + others.count > 1 {
            throw CommandError(
                "npy holds one array: name one --output, give one sequence, or take --output-format safetensors")
        }
    }

    mutating func finish() throws {
        let tensors =
            rows.map { row in
                BinaryTensor(
                    name: row.name, shape: [row.columns == 0 ? 0 : row.values.count / row.columns, row.columns],
                    floats: row.values)
            } + others
        rows = []
        guard isNPY else {
            return try StandardOutput.write(SafetensorsWriter.segments(tensors, metadata: [("model", model)]))
        }
        guard let tensor = tensors.first else { throw CommandError("there are no sequences to write") }
        try StandardOutput.write(NPYWriter.segments(tensor))
    }
}

extension StandardOutput {
    /// Writes all segments.
    static func write(_ segments: [any ByteSegment]) throws(CommandError) {
        for segment in segments {
            var failure: CommandError?
            segment.withBytes { bytes in
                do throws(CommandError) { try write(bytes) } catch { failure = error }
            }
            if let failure { throw failure }
        }
    }
}
