import HTTP
import JSON

/// The JSON of a response in parts, written at once or a piece at a time while the response is sent.
package struct StreamedJSON: Sendable {
    /// The parts in order. `write` writes step i of `count`.
    private var parts: [(count: Int, write: @Sendable (inout JSONWriter, Int) -> Void)] = []
    /// The approximate size of the text in bytes.
    private(set) var estimate = 256
    /// The bytes of numbers that the parts keep in memory.
    private(set) var retained = 0

    /// Adds a part of one step.
    mutating func add(bytes: Int = 64, _ write: @escaping @Sendable (inout JSONWriter) -> Void) {
        add(1, bytes: bytes) { json, _ in write(&json) }
    }

    /// Adds a part of `count` steps, each of about `bytes` bytes.
    mutating func add(_ count: Int, bytes: Int, _ write: @escaping @Sendable (inout JSONWriter, Int) -> Void) {
        guard count > 0 else { return }
        parts.append((count, write))
        estimate += count * bytes
    }

    /// The most numbers that one step writes. Their bytes are a whole number of base64's groups of 3.
    private static let block = 384

    /// Adds an array of numbers.
    mutating func add(floats values: [Float]) { add(arrays: 1, of: values.count) { _ in values[...] } }

    /// Counts bytes that parts added as functions keep in memory.
    mutating func retain(bytes: Int) { retained += bytes }

    /// Adds an array of `rows` arrays of numbers.
    mutating func add(rows: Int, columns: Int, _ row: @escaping @Sendable (Int) -> ArraySlice<Float>) {
        add(bytes: 1) { $0.beginArray() }
        add(arrays: rows, of: columns, row)
        add(bytes: 1) { $0.endArray() }
    }

    /// Adds arrays of numbers, one after the other.
    private mutating func add(arrays: Int, of size: Int, _ array: @escaping @Sendable (Int) -> ArraySlice<Float>) {
        let block = StreamedJSON.block
        let blocks = max(1, (size + block - 1) / block)
        retain(bytes: 4 * arrays * size)
        add(arrays * blocks, bytes: 12 * min(size, block)) { json, i in
            let (number, place) = i.quotientAndRemainder(dividingBy: blocks)
            if place == 0 { json.beginArray() }
            json.floats(more: array(number).dropFirst(place * block).prefix(block))
            if place == blocks - 1 { json.endArray() }
        }
    }

    /// Adds a string with the base64 encoding of numbers.
    mutating func add(base64 values: [Float]) {
        let block = StreamedJSON.block
        retain(bytes: 4 * values.count)
        add(bytes: 1) { $0.beginString() }
        add((values.count + block - 1) / block, bytes: 6 * min(values.count, block)) { json, i in
            let part = values.dropFirst(i * block).prefix(block)
            json.string(more: part.withUnsafeBytes(Base64.encode))
        }
        add(bytes: 1) { $0.endString() }
    }

    /// Adds nested arrays of the sizes `shape`. `element` writes each innermost value, counted in row-major order, of about
    /// `bytes` bytes.
    mutating func add(
        nested shape: ArraySlice<Int>, bytes: Int, _ element: @escaping @Sendable (inout JSONWriter, Int) -> Void
    ) {
        let count = shape.reduce(1, *)
        guard count > 0 else { return add { StreamedJSON.writeEmpty(shape, &$0) } }
        // The number of elements in one array of each axis, outermost first.
        let blocks = shape.indices.map { shape[$0...].reduce(1, *) }
        add(count, bytes: bytes) { json, i in
            for block in blocks where i % block == 0 { json.beginArray() }
            element(&json, i)
            for block in blocks where (i + 1) % block == 0 { json.endArray() }
        }
    }

    /// Writes nested arrays of which an axis has no elements.
    private static func writeEmpty(_ shape: ArraySlice<Int>, _ json: inout JSONWriter) {
        guard let size = shape.first else { return }
        json.array { json in for _ in 0..<size { writeEmpty(shape.dropFirst(), &json) } }
    }

    /// Returns the whole text.
    package func bytes() -> [UInt8] {
        var json = JSONWriter(capacity: estimate)
        var cursor = Cursor()
        write(from: &cursor, into: &json, until: .max)
        return json.bytes
    }

    struct Cursor: Sendable {
        var part = 0
        var step = 0
    }

    /// Continues until the writer holds `size` bytes.
    /// - Returns: `false` at the end of the text.
    @discardableResult
    func write(from cursor: inout Cursor, into json: inout JSONWriter, until size: Int) -> Bool {
        while cursor.part < parts.count {
            let part = parts[cursor.part]
            while cursor.step < part.count {
                if json.bytes.count >= size { return true }
                part.write(&json, cursor.step)
                cursor.step += 1
            }
            cursor = Cursor(part: cursor.part + 1)
        }
        return false
    }
}

/// A body whose pieces the workers make. Each is made when the last has been sent, so a slow reader occupies no worker and
/// the memory of one piece.
final class StreamedJSONBody: BodyStream, @unchecked Sendable {
    /// The size in bytes above which responses are streamed.
    static let threshold = 256 << 10
    static let pieceBytes = 64 << 10

    var heldBytes: Int { parts.retained }

    private let engine: InferenceEngine
    private let parts: StreamedJSON
    private let encoder: GzipEncoder?
    // `next` is called after the last piece was delivered, so one worker at a time uses these.
    private var cursor = StreamedJSON.Cursor()
    private var json = JSONWriter(capacity: StreamedJSONBody.pieceBytes + 8192)
    private var isDone = false

    init(_ parts: StreamedJSON, engine: InferenceEngine, encoder: GzipEncoder?) {
        self.parts = parts
        self.engine = engine
        self.encoder = encoder
    }

    func next(_ deliver: @escaping @Sendable (BodyPiece) -> Void) {
        if !engine.prepare({ [self] _ in deliver(piece()) }) { deliver(.failed) }
    }

    private func piece() -> BodyPiece {
        while !isDone {
            isDone = !parts.write(from: &cursor, into: &json, until: Self.pieceBytes)
            let bytes =
                encoder.map { encoder in
                    json.bytes.withUnsafeBytes { encoder.encode($0, isLast: isDone) }
                } ?? json.bytes
            json.removeBytes()
            // The compressor may return nothing for a whole piece.
            if !bytes.isEmpty { return .bytes(bytes) }
        }
        return .end
    }
}
