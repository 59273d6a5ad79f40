import Diagnostics

/// A slice of the read buffer: parsing copies only what it keeps.
typealias ByteSlice = Slice<UnsafeBufferPointer<UInt8>>

/// The character classes and small productions of RFC 9110 and RFC 3986.
package enum HTTPGrammar {
    /// tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
    /// (RFC 9110, 5.6.2)
    static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E, 0x5F, 0x60, 0x7C, 0x7E: true
        default: false
        }
    }

    package static func isToken(_ bytes: some Collection<UInt8>) -> Bool {
        !bytes.isEmpty && bytes.allSatisfy(isTokenByte)
    }

    /// HTAB / SP / VCHAR / obs-text (RFC 9110, 5.5)
    static func isFieldByte(_ byte: UInt8) -> Bool { byte == 0x09 || (byte >= 0x20 && byte != 0x7F) }

    /// DIGIT (RFC 5234, B.1)
    package static func isDigit(_ byte: UInt8) -> Bool { 0x30...0x39 ~= byte }

    static func trimmed(_ bytes: ByteSlice) -> ByteSlice {
        var bytes = bytes
        while let first = bytes.first, first == 0x20 || first == 0x09 { bytes.removeFirst() }
        while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
        return bytes
    }

    static func equal(_ bytes: some Collection<UInt8>, ignoringCase lowercase: StaticString) -> Bool {
        lowercase.withUTF8Buffer { word in
            bytes.elementsEqual(word) { (0x41...0x5A ~= $0 ? $0 | 0x20 : $0) == $1 }
        }
    }

    /// field-line = field-name ":" OWS field-value OWS (RFC 9112, 5)
    static func field(
        _ line: ByteSlice
    ) throws(HTTPParseError) -> (name: ByteSlice, value: ByteSlice) {
        if let first = line.first, first == 0x20 || first == 0x09 {
            throw .malformed("A header line starts with white space: line folding is not taken.")
        }
        guard let colon = line.firstIndex(of: 0x3A) else { throw .malformed("A header line has no colon.") }
        let name = line[line.startIndex..<colon]
        guard isToken(name) else {
            throw .malformed("A header's name is empty or has a character that names may not have.")
        }
        let value = trimmed(line[(colon + 1)...])
        guard value.allSatisfy(isFieldByte) else { throw .malformed("A header's value has a control character.") }
        return (name, value)
    }

    /// uri-host [ ":" port ] (RFC 9110, 7.2; RFC 3986, 3.2.2), not empty, without user information.
    static func isHost(_ bytes: ByteSlice) -> Bool {
        var rest = bytes
        if rest.first == 0x5B {
            guard let end = rest.firstIndex(of: 0x5D) else { return false }
            let address = rest[(rest.startIndex + 1)..<end]
            guard isIPv6(address) || isFutureAddress(address) else { return false }
            rest = rest[(end + 1)...]
        } else {
            let name = rest.prefix { $0 != 0x3A }
            guard !name.isEmpty, name.first != 0x2E else { return false }
            var index = name.startIndex
            while index < name.endIndex {
                switch name[index] {
                case 0x25:
                    guard index + 2 < name.endIndex, name[index + 1].hexDigitValue != nil,
                        name[index + 2].hexDigitValue != nil
                    else { return false }
                    index += 3
                // A name has no empty label.
                case 0x2E where index + 1 < name.endIndex && name[index + 1] == 0x2E: return false
                case let byte where isNameByte(byte): index += 1
                default: return false
                }
            }
            rest = rest[name.endIndex...]
        }
        guard let colon = rest.first else { return true }
        let port = rest.dropFirst()
        guard colon == 0x3A, port.allSatisfy(isDigit), port.count <= 5 else { return false }
        return port.reduce(0) { $0 * 10 + Int($1 - 0x30) } <= 65535
    }

    /// unreserved / sub-delims (RFC 3986, 2)
    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E, 0x21, 0x24, 0x26...0x2C, 0x3B, 0x3D: true
        default: false
        }
    }

    /// Whether the bytes are characters of an IPv6 address. No stricter check: this server never connects to one.
    private static func isIPv6(_ bytes: ByteSlice) -> Bool {
        guard bytes.contains(0x3A), bytes.allSatisfy({ $0.hexDigitValue != nil || $0 == 0x3A || $0 == 0x2E }) else {
            return false
        }
        return !zip(bytes, bytes.dropFirst()).contains { $0 == 0x2E && $1 == 0x2E }
    }

    /// IPvFuture = "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )
    private static func isFutureAddress(_ bytes: ByteSlice) -> Bool {
        guard let first = bytes.first, first | 0x20 == 0x76, let dot = bytes.firstIndex(of: 0x2E) else { return false }
        let (version, rest) = (bytes[(bytes.startIndex + 1)..<dot], bytes[(dot + 1)...])
        return !version.isEmpty && version.allSatisfy { $0.hexDigitValue != nil } && !rest.isEmpty
            && rest.allSatisfy { isNameByte($0) || $0 == 0x3A }
    }

    /// Decodes a percent-encoded path. `nil` if an escape is malformed, or the result is not UTF-8 or contains a NUL.
    static func decodedPath(_ bytes: ByteSlice) -> String? {
        guard bytes.contains(0x25) else { return String(validating: bytes, as: UTF8.self) }
        guard let decoded = percentDecoded(bytes), !decoded.contains(0) else { return nil }
        return String(validating: decoded, as: UTF8.self)
    }

    /// Undoes percent-encoding (RFC 3986, 2.1). `nil` if an escape is malformed.
    package static func percentDecoded(_ bytes: some Collection<UInt8>) -> [UInt8]? {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var rest = bytes.makeIterator()
        while let byte = rest.next() {
            if byte == 0x25 {
                guard let high = rest.next()?.hexDigitValue, let low = rest.next()?.hexDigitValue else { return nil }
                decoded.append(high << 4 | low)
            } else {
                decoded.append(byte)
            }
        }
        return decoded
    }
}
