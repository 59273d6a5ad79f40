import HTTP
import JSON

/// An answer's JSON, cut where it may be interrupted: it is written at once, or a piece at a time while it is sent.
struct StreamedJSON: Sendable {
    /// Writes step i of `count`.
    private var parts: [(count: Int, write: @Sendable (inout JSONWriter, Int) -> Void)] = []
    /// About how many bytes there will be.
    private(set) var estimate = 256
    /// How many bytes of numbers the parts are made of.
    private(set) var retained = 0

    /// One part.
    mutating func add(bytes: Int = 64, _ write: @escaping @Sendable (inout JSONWriter) -> Void) {
        add(1, bytes: bytes) { json, _ in write(&json) }
    }

    /// A part of many steps, each of about so many bytes.
    mutating func add(_ count: Int, bytes: Int, _ write: @escaping @Sendable (inout JSONWriter, Int) -> Void) {
        guard count > 0 else { return }
        parts.append((count, write))
        estimate += count * bytes
    }

    /// So many numbers are written in one step, however long their array is: of base64's groups of 3 bytes a whole number.
    private static let block = 384

    /// Numbers, as an array.
    mutating func add(floats values: [Float]) { add(arrays: 1, of: values.count) { _ in values[...] } }

    /// Says that parts added as functions keep so many bytes more.
    mutating func retain(bytes: Int) { retained += bytes }

    /// Numbers, as an array in arrays, row by row.
    mutating func add(rows: Int, columns: Int, _ row: @escaping @Sendable (Int) -> ArraySlice<Float>) {
        add(bytes: 1) { $0.beginArray() }
        add(arrays: rows, of: columns, row)
        add(bytes: 1) { $0.endArray() }
    }

    /// Arrays of numbers, one behind the other.
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

    /// Numbers, as a string of the base64 of their bytes.
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

    /// Arrays in arrays of the sizes `shape`, with `element` writing each innermost value, counted in row-major order,
    /// of about so many bytes.
    mutating func add(
        nested shape: ArraySlice<Int>, bytes: Int, _ element: @escaping @Sendable (inout JSONWriter, Int) -> Void
    ) {
        let count = shape.reduce(1, *)
        guard count > 0 else { return add { StreamedJSON.writeEmpty(shape, &$0) } }
        // Elements in one array of each axis, outermost first.
        let blocks = shape.indices.map { shape[$0...].reduce(1, *) }
        add(count, bytes: bytes) { json, i in
            for block in blocks where i % block == 0 { json.beginArray() }
            element(&json, i)
            for block in blocks where (i + 1) % block == 0 { json.endArray() }
        }
    }

    /// Arrays in arrays of which some axis has no elements.
    private static func writeEmpty(_ shape: ArraySlice<Int>, _ json: inout JSONWriter) {
        guard let size = shape.first else { return }
        json.array { json in for _ in 0..<size { writeEmpty(shape.dropFirst(), &json) } }
    }

    /// All of it.
    func bytes() -> [UInt8] {
        var json = JSONWriter(capacity: estimate)
        var cursor = Cursor()
        write(from: &cursor, into: &json, until: .max)
        return json.bytes
    }

    struct Cursor: Sendable {
        var part = 0
        var step = 0
    }

    /// Goes on until the writer holds that many bytes; false at the end.
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

/// Makes an answer's pieces on the workers: one is made when the last has gone out, so a slow reader holds no worker and
/// no more than a piece.
final class StreamedJSONBody: BodyStream, @unchecked Sendable {
    /// Longer answers are streamed.
    static let threshold = 256 << 10
    static let pieceBytes = 64 << 10

    var heldBytes: Int { parts.retained }

    private let engine: InferenceEngine
    private let parts: StreamedJSON
    private let encoder: GzipEncoder?
    // `next` is called after the last piece was delivered, so a worker has these to itself.
    private var cursor = StreamedJSON.Cursor()
    private var json = JSONWriter(capacity: StreamedJSONBody.pieceBytes + 8192)
    private var isDone = false

    init(_ parts: StreamedJSON, engine: InferenceEngine, encoder: GzipEncoder?) {
        self.parts = parts
        self.engine = engine
        self.encoder = encoder
    }

    func next(_ deliver: @escaping @Sendable (BodyPiece) -> Void) {
        if !engine.prepare({ [self] in deliver(piece()) }) { deliver(.failed) }
    }

    private func piece() -> BodyPiece {
        while !isDone {
            isDone = !parts.write(from: &cursor, into: &json, until: Self.pieceBytes)
            let bytes =
                encoder.map { encoder in
                    json.bytes.withUnsafeBytes { encoder.encode($0, isLast: isDone) }
                } ?? json.bytes
            json.removeBytes()
            // The compressor may keep a whole piece to itself.
            if !bytes.isEmpty { return .bytes(bytes) }
        }
        return .end
    }
}
