import Diagnostics

/// The header of a `.npy` array, versions 1 to 3: a Python dict literal with exactly `descr`, `fortran_order`, `shape`.
struct NumpyHeader {
    let dataType: DataType
    let shape: [Int]
    let isFortranOrder: Bool
    let dataOffset: Int
    let byteCount: Int

    static let headerLimit = 1 << 20
    static let axisLimit = 64
    private static let dataTypes: [String: DataType] = [
        "f8": .f64, "f4": .f32, "f2": .f16, "i8": .i64, "i4": .i32, "i2": .i16, "i1": .i8, "u1": .u8, "b1": .bool,
    ]

    init(_ bytes: UnsafeRawBufferPointer) throws(Refusal) {
        guard let magic = bytes.slice(0, 8), magic.starts(with: [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]) else {
            throw Refusal(reason: "does not start with numpy's magic string")
        }
        guard (1...3).contains(magic[6]), magic[7] == 0 else {
            throw Refusal(reason: "is of npy version \(magic[6]).\(magic[7]); 1.0, 2.0 and 3.0 are read")
        }
        let short = magic[6] == 1
        let length =
            short ? bytes.integer(8, as: UInt16.self).map(Int.init) : bytes.integer(8, as: UInt32.self).map(Int.init)
        let start = short ? 10 : 12
        guard let length, length <= NumpyHeader.headerLimit, let text = bytes.slice(start, length) else {
            throw Refusal(reason: "has a header longer than the array's file")
        }
        dataOffset = start + length
        var literal = Literal(text)
        var descr: String?
        var order: Bool?
        var shape: [Int]?
        guard literal.take("{") else { throw Refusal(reason: "has a header that is not a dict") }
        while !literal.take("}") {
            guard let key = literal.string(), literal.take(":") else { throw Refusal(reason: "has a malformed header") }
            switch key {
            case "descr" where descr == nil:
                descr = literal.string()
                if descr == nil { throw Refusal(reason: "has a structured dtype; plain numbers are read") }
            case "fortran_order" where order == nil:
                order = literal.take("True") ? true : literal.take("False") ? false : nil
                if order == nil { throw Refusal(reason: "has a 'fortran_order' that is neither True nor False") }
            case "shape" where shape == nil:
                shape = literal.tuple()
                if shape == nil { throw Refusal(reason: "has a 'shape' that is not a tuple of integers of at least 0") }
            default: throw Refusal(reason: "has an unknown or repeated header key \(quoted(key))")
            }
            if !literal.take(",") && !literal.peek("}") { throw Refusal(reason: "has a malformed header") }
        }
        guard literal.isAtEnd, let descr, let order, let shape else {
            throw Refusal(reason: "has a header without descr, fortran_order or shape, or with something after them")
        }
        guard shape.count <= NumpyHeader.axisLimit else { throw Refusal(reason: "has \(shape.count) axes") }
        dataType = try NumpyHeader.type(descr)
        guard let byteCount = checkedByteCount(shape, dataType) else {
            throw Refusal(reason: "has a shape \(shape) too large to count")
        }
        self.byteCount = byteCount
        self.shape = shape
        isFortranOrder = order
    }

    private static func type(_ descr: String) throws(Refusal) -> DataType {
        if descr.hasSuffix("O") { throw Refusal(reason: "is an object array (dtype \(quoted(descr))), a pickle") }
        guard let order = descr.first, let type = dataTypes[String(descr.dropFirst())], "<=|>".contains(order) else {
            throw Refusal(reason: "has dtype \(quoted(descr)); f2 f4 f8 i1 i2 i4 i8 u1 b1 can be read")
        }
        guard order != ">" || type.size == 1 else {
            throw Refusal(reason: "is big-endian (dtype \(quoted(descr))); save it little-endian")
        }
        return type
    }

    /// A reader of the part of Python's literal syntax that numpy writes.
    private struct Literal {
        private let text: UnsafeRawBufferPointer
        private var position = 0

        init(_ text: UnsafeRawBufferPointer) { self.text = text }

        private mutating func skipSpace() {
            while position < text.count, [0x20, 0x09, 0x0a].contains(text[position]) { position += 1 }
        }

        mutating func peek(_ token: StaticString) -> Bool {
            skipSpace()
            guard let bytes = text.slice(position, token.utf8CodeUnitCount) else { return false }
            return bytes.elementsEqual(UnsafeBufferPointer(start: token.utf8Start, count: token.utf8CodeUnitCount))
        }

        mutating func take(_ token: StaticString) -> Bool {
            guard peek(token) else { return false }
            position += token.utf8CodeUnitCount
            return true
        }

        var isAtEnd: Bool {
            mutating get {
                skipSpace()
                return position == text.count
            }
        }

        mutating func string() -> String? {
            skipSpace()
            guard position < text.count, text[position] == 0x27 || text[position] == 0x22 else { return nil }
            let quote = text[position]
            guard let end = text[(position + 1)...].firstIndex(of: quote) else { return nil }
            let bytes = UnsafeRawBufferPointer(rebasing: text[position + 1..<end])
            guard !bytes.contains(UInt8(ascii: "\\")) else { return nil }
            position = end + 1
            return bytes.utf8
        }

        /// Reads a tuple of integers: `()`, `(3,)`, `(3, 4)`. Python 2 wrote `3L`.
        mutating func tuple() -> [Int]? {
            guard take("(") else { return nil }
            var numbers: [Int] = []
            while !take(")") {
                skipSpace()
                let start = position
                while position < text.count, (0x30...0x39).contains(text[position]) { position += 1 }
                guard let digits = UnsafeRawBufferPointer(rebasing: text[start..<position]).utf8,
                    let number = Int(digits)
                else { return nil }
                if position < text.count, text[position] == UInt8(ascii: "L") { position += 1 }
                numbers.append(number)
                if !take(",") && (!peek(")") || numbers.count == 1) { return nil }
            }
            return numbers
        }
    }
}
