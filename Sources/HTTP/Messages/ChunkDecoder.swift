import Diagnostics

/// An incremental decoder of the chunked transfer coding (RFC 9112, 7.1). It is strict: hex digits only, CRLF only, no white
/// space in a chunk's first line. Extensions and trailers are bounded, checked and dropped.
struct ChunkDecoder {
    private enum State {
        case sizeStart, size, extensionStart, extensionName, extensionValueStart, extensionValue
        case extensionQuoted, extensionQuotedEscape, extensionQuotedEnd
        case sizeLF, data, dataCR, dataLF, trailer, trailerLF, done
    }

    private var state = State.sizeStart
    private var remaining = 0
    private var digits = 0
    private var extensionBytes = 0
    private var trailerBytes = 0
    private var trailerFields = 0
    private var trailerLine: [UInt8] = []
    private let limits: HTTPLimits

    /// The largest decoded body in bytes.
    var maxBodyBytes: Int

    init(limits: HTTPLimits) {
        self.limits = limits
        maxBodyBytes = limits.maxBodyBytes
    }

    var isDone: Bool { state == .done }

    /// Decodes `bytes` and appends the result to `body`. Returns the number of bytes used: all, unless the body ended.
    mutating func decode(
        _ bytes: UnsafeBufferPointer<UInt8>, into body: inout [UInt8]
    ) throws(HTTPParseError) -> Int {
        var index = 0
        while index < bytes.count, state != .done {
            if state == .data {
                let count = min(remaining, bytes.count - index)
                body.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[index..<(index + count)]))
                index += count
                remaining -= count
                if remaining == 0 { state = .dataCR }
                continue
            }
            try step(bytes[index], bodyCount: body.count)
            index += 1
        }
        return index
    }

    private mutating func step(_ byte: UInt8, bodyCount: Int) throws(HTTPParseError) {
        switch state {
        case .sizeStart, .size:
            try stepSize(byte, bodyCount: bodyCount)
        case .extensionStart, .extensionName, .extensionValueStart, .extensionValue, .extensionQuoted,
            .extensionQuotedEscape, .extensionQuotedEnd:
            try stepExtension(byte)
        case .sizeLF:
            guard byte == 0x0A else { throw .framing("A chunk's first line does not end in CRLF.") }
            state = remaining == 0 ? .trailer : .data
        case .dataCR:
            guard byte == 0x0D else { throw .framing("A chunk's data is not followed by CRLF.") }
            state = .dataLF
        case .dataLF:
            guard byte == 0x0A else { throw .framing("A chunk's data is not followed by CRLF.") }
            state = .sizeStart
            digits = 0
        case .trailer, .trailerLF:
            try stepTrailer(byte)
        case .data, .done:
            break
        }
    }

    private mutating func stepSize(_ byte: UInt8, bodyCount: Int) throws(HTTPParseError) {
        if let value = byte.hexDigitValue {
            digits += 1
            // 15 digits cannot overflow an Int.
            guard digits <= 15 else { throw .framing("A chunk's size has too many digits.") }
            remaining = remaining << 4 | Int(value)
            state = .size
            return
        }
        guard state == .size else { throw .framing("A chunk's size is not a hexadecimal number.") }
        guard byte == 0x0D || byte == 0x3B else {
            throw .framing("A chunk's size is followed by something other than CRLF or an extension.")
        }
        guard remaining <= maxBodyBytes - bodyCount else { throw .bodyTooLarge(maxBodyBytes) }
        state = byte == 0x0D ? .sizeLF : .extensionStart
    }

    /// Decodes chunk-ext = *( ";" chunk-ext-name [ "=" ( token / quoted-string ) ] ), without the bad white space that
    /// RFC 9112 lets a recipient accept.
    private mutating func stepExtension(_ byte: UInt8) throws(HTTPParseError) {
        extensionBytes += 1
        guard extensionBytes <= limits.maxChunkExtensionBytes else {
            throw .framing("The chunk extensions are longer than the limit of \(limits.maxChunkExtensionBytes) bytes.")
        }
        switch (state, byte) {
        case (.extensionName, 0x0D), (.extensionValue, 0x0D), (.extensionQuotedEnd, 0x0D): state = .sizeLF
        case (.extensionName, 0x3B), (.extensionValue, 0x3B), (.extensionQuotedEnd, 0x3B): state = .extensionStart
        case (.extensionName, 0x3D): state = .extensionValueStart
        case (.extensionValueStart, 0x22): state = .extensionQuoted
        case (.extensionQuoted, 0x22): state = .extensionQuotedEnd
        case (.extensionQuoted, 0x5C): state = .extensionQuotedEscape
        case (.extensionStart, _) where HTTPGrammar.isTokenByte(byte): state = .extensionName
        case (.extensionName, _) where HTTPGrammar.isTokenByte(byte): break
        case (.extensionValueStart, _) where HTTPGrammar.isTokenByte(byte): state = .extensionValue
        case (.extensionValue, _) where HTTPGrammar.isTokenByte(byte): break
        case (.extensionQuoted, _) where HTTPGrammar.isFieldByte(byte): break
        case (.extensionQuotedEscape, _) where HTTPGrammar.isFieldByte(byte): state = .extensionQuoted
        default: throw .framing("A chunk extension is malformed.")
        }
    }

    private mutating func stepTrailer(_ byte: UInt8) throws(HTTPParseError) {
        trailerBytes += 1
        guard trailerBytes <= limits.maxTrailerBytes else {
            throw HTTPParseError(431, "trailers_too_large", "The trailers exceed \(limits.maxTrailerBytes) bytes.")
        }
        if state == .trailerLF {
            guard byte == 0x0A else { throw .framing("A trailer line holds a bare CR.") }
            if trailerLine.isEmpty {
                state = .done
                return
            }
            try trailerLine.withUnsafeBufferPointer { (line) throws(HTTPParseError) in
                _ = try HTTPGrammar.field(line[...])
            }
            trailerFields += 1
            guard trailerFields <= limits.maxHeaders else {
                throw HTTPParseError(431, "too_many_headers", "There are more than \(limits.maxHeaders) trailers.")
            }
            trailerLine.removeAll(keepingCapacity: true)
            state = .trailer
        } else if byte == 0x0D {
            state = .trailerLF
        } else {
            guard HTTPGrammar.isFieldByte(byte) else { throw .framing("A trailer holds a control character.") }
            trailerLine.append(byte)
        }
    }
}
