import ModelFiles

/// A `.model` file of SentencePiece: the parts of its `ModelProto` that tokenizers need
/// (https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto). The file is in protobuf's wire
/// format (https://protobuf.dev/programming-guides/encoding). Other fields are skipped; absent fields have the defaults
/// of the proto.
struct SentencePieceModel {
    enum Kind: Int { case normal = 1, unknown, control, userDefined, unused, byte }

    struct Piece {
        /// The piece in valid UTF-8.
        var spelling: ArraySlice<UInt8> = []
        var score: Float = 0
        var kind = Kind.normal
    }

    /// The pieces by id.
    private(set) var pieces: [Piece] = []
    /// Whether `trainer_spec.model_type` is UNIGRAM. It is BPE, WORD or CHAR otherwise.
    private(set) var isUnigram = true
    private(set) var byteFallback = false
    /// The ids of the special pieces, negative if there is none.
    private(set) var unknownID = 0, bosID = 1, eosID = 2
    private(set) var unknownPiece = "<unk>", bosPiece = "<s>", eosPiece = "</s>"
    /// The normalizer's table of replacements, empty for `identity`.
    private(set) var charsmap: [UInt8] = []

    /// The largest length of a piece in bytes. SentencePiece trains pieces of 16 characters, but symbols that users
    /// define may be longer. The search for merges tries every position of a piece, so the length needs a bound.
    static let longestPiece = 1024

    private let file: TokenizerFile

    init(_ bytes: [UInt8], file: TokenizerFile) throws(FileError) {
        self.file = file
        var message = ProtobufMessage(bytes[...], file: file)
        while let field = try message.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let piece)): try addPiece(piece)
            case (2, .bytes(let trainer)): try readTrainer(trainer)
            case (3, .bytes(let normalizer)): try readNormalizer(normalizer)
            default: break
            }
        }
        guard !pieces.isEmpty else { throw file.error("not a SentencePiece model: it has no pieces") }
    }

    private mutating func addPiece(_ bytes: ArraySlice<UInt8>) throws(FileError) {
        guard pieces.count < 1 << 24 else { throw file.error("more than \(1 << 24) pieces") }
        var piece = Piece()
        var message = ProtobufMessage(bytes, file: file)
        while let field = try message.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let spelling)): piece.spelling = spelling
            case (2, .fixed32(let bits)): piece.score = Float(bitPattern: bits)
            case (3, .varint(let value)): piece.kind = Int(exactly: value).flatMap(Kind.init(rawValue:)) ?? .normal
            default: break
            }
        }
        guard piece.spelling.count <= SentencePieceModel.longestPiece else {
            throw file.error(
                "piece \(pieces.count) has \(piece.spelling.count) bytes; at most \(SentencePieceModel.longestPiece) are read"
            )
        }
        guard String(validating: piece.spelling, as: UTF8.self) != nil else {
            throw file.error("piece \(pieces.count) is not valid UTF-8")
        }
        guard piece.score.isFinite else { throw file.error("the score of piece \(pieces.count) is not a number") }
        pieces.append(piece)
    }

    private mutating func readTrainer(_ bytes: ArraySlice<UInt8>) throws(FileError) {
        /// int32 is sent as 64 bits, with its sign.
        func int32(_ value: UInt64) -> Int { Int(Int32(truncatingIfNeeded: value)) }
        func text(_ bytes: ArraySlice<UInt8>) throws(FileError) -> String {
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw file.error("a name in trainer_spec is not valid UTF-8")
            }
            return text
        }
        var message = ProtobufMessage(bytes, file: file)
        while let field = try message.next() {
            switch (field.number, field.value) {
            case (3, .varint(let value)): isUnigram = value == 1
            case (35, .varint(let value)): byteFallback = value != 0
            case (40, .varint(let value)): unknownID = int32(value)
            case (41, .varint(let value)): bosID = int32(value)
            case (42, .varint(let value)): eosID = int32(value)
            case (45, .bytes(let bytes)): unknownPiece = try text(bytes)
            case (46, .bytes(let bytes)): bosPiece = try text(bytes)
            case (47, .bytes(let bytes)): eosPiece = try text(bytes)
            default: break
            }
        }
    }

    private mutating func readNormalizer(_ bytes: ArraySlice<UInt8>) throws(FileError) {
        var message = ProtobufMessage(bytes, file: file)
        while let field = try message.next() {
            if field.number == 2, case .bytes(let table) = field.value { charsmap = Array(table) }
        }
    }
}

/// A reader of the fields of one message, in order.
struct ProtobufMessage {
    enum Value {
        case varint(UInt64)
        case fixed64
        case bytes(ArraySlice<UInt8>)
        case fixed32(UInt32)
    }

    private var rest: ArraySlice<UInt8>
    private let file: TokenizerFile

    init(_ bytes: ArraySlice<UInt8>, file: TokenizerFile) {
        rest = bytes
        self.file = file
    }

    /// Reads the next field. `nil` at the end.
    mutating func next() throws(FileError) -> (number: UInt64, value: Value)? {
        if rest.isEmpty { return nil }
        let key = try varint()
        let number = key >> 3
        guard number > 0, number < 1 << 29 else { throw malformed("a field of number \(number)") }
        switch key & 7 {
        case 0: return (number, .varint(try varint()))
        case 1:
            _ = try take(8)
            return (number, .fixed64)
        case 2:
            guard let count = Int(exactly: try varint()) else { throw malformed("a length out of range") }
            return (number, .bytes(try take(count)))
        case 5:
            let bits = try take(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            return (number, .fixed32(bits))
        default: throw malformed("a field of wire type \(key & 7)")
        }
    }

    private mutating func take(_ count: Int) throws(FileError) -> ArraySlice<UInt8> {
        guard count <= rest.count else { throw malformed("\(count) bytes wanted, \(rest.count) left") }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    private mutating func varint() throws(FileError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard let byte = rest.popFirst() else { throw malformed("it ends within a number") }
            // Of the tenth byte only the lowest bit has a place.
            if shift == 63, byte > 1 { break }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw malformed("a number of more than 64 bits")
    }

    private func malformed(_ what: String) -> FileError {
        file.error("not a SentencePiece model: \(what), at byte \(rest.startIndex)")
    }
}
