import CZlib

@testable import HTTP
@testable import Server

/// Fuzz targets for the bytes of HTTP: requests, chunked bodies, and compressed bodies.
enum HTTPTargets {
    static let all = [
        FuzzTarget(name: "http", maxLength: 1536, run: http), FuzzTarget(name: "chunks", maxLength: 512, run: chunks),
        FuzzTarget(name: "inflate", maxLength: 2048, run: inflate),
    ]

    /// Limits low enough for inputs of a few hundred bytes to exceed.
    private static let narrow: HTTPLimits = {
        var limits = HTTPLimits()
        limits.maxTargetBytes = 40
        limits.maxHeadBytes = 300
        limits.maxHeaders = 8
        limits.maxBodyBytes = 100
        limits.maxChunkExtensionBytes = 12
        limits.maxTrailerBytes = 50
        return limits
    }()

    // MARK: Requests

    /// A parsed request and its framing.
    private struct Message: Equatable {
        var request: String
        var fields: [String]
        var body: [UInt8]
        var keepAlive: Bool
        var minorVersion: Int
        var expectsContinue: Bool
        /// The offset in the input of the first byte after the message.
        var end: Int
    }

    /// The result of parsing a whole input.
    private struct Reading: Equatable {
        var messages: [Message] = []
        /// The status of the error that ended the input; `nil` if there was none.
        var status: Int?
    }

    /// Parses pipelined requests whole and in pieces, and compares the results.
    ///
    /// The first byte of the input selects the limits and the sizes of the pieces. The requests follow.
    private static func http(_ input: UnsafeRawBufferPointer) throws {
        guard let first = input.first else { return }
        let bytes = UnsafeBufferPointer(rebasing: input.bindMemory(to: UInt8.self)[1...])
        let limits = first & 1 == 0 ? HTTPLimits() : narrow
        let whole = read(bytes, limits) { $0 }
        // The result must not depend on how the bytes are split.
        var state = UInt64(bytes.count) &+ 1
        let cut = read(bytes, limits) { left in
            if first & 2 == 0 { return 1 }
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return min(left, Int(state >> 60) + 1)
        }
        try check(cut == whole, "in pieces \(cut), whole \(whole)")
        var start = 0
        for message in whole.messages {
            try checkFraming(Array(bytes[start..<message.end]), message)
            start = message.end
        }
    }

    /// Parses pipelined requests that arrive in pieces.
    /// - Parameter step: Returns the size of the next piece in bytes for the number of bytes left.
    private static func read(
        _ bytes: UnsafeBufferPointer<UInt8>, _ limits: HTTPLimits, _ step: (Int) -> Int
    ) -> Reading {
        var reading = Reading()
        var parser = HTTPParser(limits: limits)
        var (used, visible) = (0, 0)
        while visible < bytes.count {
            visible += max(1, step(bytes.count - visible))
            while used < visible {
                do throws(HTTPParseError) {
                    used += try parser.parse(UnsafeBufferPointer(rebasing: bytes[used..<visible]))
                } catch {
                    reading.status = error.status
                    return reading
                }
                guard parser.phase == .complete else { continue }
                let request = parser.request
                reading.messages.append(
                    Message(
                        request: "\(request.method) \(request.path) ?\(request.query ?? "-")",
                        fields: request.headers.fields.map { "\($0.name):\($0.value)" }, body: request.body,
                        keepAlive: parser.keepAlive, minorVersion: parser.minorVersion,
                        expectsContinue: parser.expectsContinue, end: used))
                parser = HTTPParser(limits: limits)
            }
        }
        return reading
    }

    /// Checks by lines alone that an accepted message can be framed in one way only.
    private static func checkFraming(_ bytes: [UInt8], _ message: Message) throws {
        let start = bytes.starts(with: [0x0D, 0x0A]) ? 2 : 0
        guard let length = (start..<bytes.count).first(where: { bytes[$0...].starts(with: [13, 10, 13, 10]) }) else {
            throw Finding(description: "a head without an end")
        }
        let head = bytes[start..<length]
        try check(!head.contains(0), "a head with NUL")
        for i in head.indices {
            if head[i] == 0x0A { try check(i > start && head[i - 1] == 0x0D, "a bare line feed") }
            if head[i] == 0x0D { try check(i + 1 < length && head[i + 1] == 0x0A, "a bare carriage return") }
        }
        let lines = head.split(separator: 0x0A, omittingEmptySubsequences: false).dropFirst().map {
            $0.last == 0x0D ? $0.dropLast() : $0
        }
        try check(lines.count == message.fields.count, "\(lines.count) lines, \(message.fields.count) fields")
        var (lengths, codings, hosts): ([String], [String], Int) = ([], [], 0)
        for line in lines {
            guard let colon = line.firstIndex(of: 0x3A) else { throw Finding(description: "a field without a colon") }
            let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
            let value = String(decoding: line[(colon + 1)...], as: UTF8.self)
                .drop { $0 == " " || $0 == "\t" }.lowercased()
            try check(!name.isEmpty && !name.contains(" ") && !name.contains("\t"), "a name with white space")
            if name == "content-length" { lengths.append(value.filter { $0 != " " && $0 != "\t" }) }
            if name == "transfer-encoding" { codings.append(value.filter { $0 != " " && $0 != "\t" }) }
            if name == "host" { hosts += 1 }
        }
        try check(hosts == 1 || (hosts == 0 && message.minorVersion == 0), "\(hosts) hosts")
        let body = bytes[(length + 4)...]
        switch (lengths.count, codings.count) {
        case (0, 0): try check(body.isEmpty && message.body.isEmpty, "a body of no length")
        case (1, 0):
            try check(Int(lengths[0]) == body.count && message.body == Array(body), "a body not of its length")
        case (0, 1):
            try check(codings[0] == "chunked" && message.minorVersion == 1, "the coding \(codings[0])")
            try check(message.body == plain(body), "a body that is not its chunks'")
        default: throw Finding(description: "\(lengths) lengths and \(codings) codings")
        }
    }

    // MARK: Chunks

    /// The result of decoding one chunked body.
    private struct Chunked: Equatable {
        var body: [UInt8] = []
        /// The number of bytes of the input that the decoder consumed.
        var used = 0
        var isDone = false
        var status: Int?
    }

    /// Decodes a chunked body whole and in pieces, and compares both with a simpler decoder.
    ///
    /// The first byte of the input selects the limits and the size of the pieces. From 0x80 on it selects a round trip
    /// instead: the rest of the input describes chunks to encode and decode.
    private static func chunks(_ input: UnsafeRawBufferPointer) throws {
        guard let first = input.first else { return }
        let limits = first & 1 == 0 ? HTTPLimits() : narrow
        guard first < 0x80 else { return try roundTrip(input, limits) }
        let bytes = UnsafeBufferPointer(rebasing: input.bindMemory(to: UInt8.self)[1...])
        let whole = decode(bytes, limits, step: .max)
        let step = [1, 2, 7][Int(first >> 1) % 3]
        let parts = decode(bytes, limits, step: step)
        try check(parts == whole, "in steps of \(step) \(parts), whole \(whole)")
        if whole.isDone { try check(plain(bytes[..<whole.used]) == whole.body, "\(whole) is not what the chunks hold") }
    }

    /// Decodes a chunked body that arrives in pieces of `step` bytes.
    private static func decode(_ bytes: UnsafeBufferPointer<UInt8>, _ limits: HTTPLimits, step: Int) -> Chunked {
        var result = Chunked()
        var decoder = ChunkDecoder(limits: limits)
        do throws(HTTPParseError) {
            while result.used < bytes.count, !decoder.isDone {
                let end = min(bytes.count, result.used &+ min(step, bytes.count))
                result.used += try decoder.decode(
                    UnsafeBufferPointer(rebasing: bytes[result.used..<end]), into: &result.body)
            }
        } catch {
            // The number of bytes read before an error may differ.
            return Chunked(status: error.status)
        }
        result.isDone = decoder.isDone
        return result
    }

    /// Returns the data of a chunked body that is known to be valid.
    private static func plain(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var rest = Array(bytes)[...]
        var body: [UInt8] = []
        while let size = Int(String(decoding: rest.prefix { $0 != 0x0D && $0 != 0x3B }, as: UTF8.self), radix: 16) {
            guard let line = rest.indices.first(where: { rest[$0...].starts(with: [0x0D, 0x0A]) }), size > 0 else {
                break
            }
            rest = rest[(line + 2)...]
            body += rest.prefix(size)
            rest = rest.dropFirst(size + 2)
        }
        return body
    }

    /// Encodes chunks of the sizes and bytes that the input describes, and checks that they decode to the same data.
    private static func roundTrip(_ input: UnsafeRawBufferPointer, _ limits: HTTPLimits) throws {
        var choices = Choices(input)
        _ = choices.byte()
        var (text, body): ([UInt8], [UInt8]) = ([], [])
        while !choices.isEmpty {
            let data = (0..<(1 + choices.byte() % 40)).map { _ in UInt8(choices.byte()) }
            guard body.count + data.count <= limits.maxBodyBytes else { break }
            text +=
                Array((String(data.count, radix: 16, uppercase: data.count % 2 == 0) + "\r\n").utf8) + data + [13, 10]
            body += data
        }
        text += Array("0\r\n\r\nrest".utf8)
        let found = text.withUnsafeBufferPointer { decode($0, limits, step: .max) }
        try check(found == Chunked(body: body, used: text.count - 4, isDone: true), "\(found) of \(body)")
    }

    // MARK: Content codings

    /// Inflates a compressed body and checks the limits on its size.
    ///
    /// The first byte of the input selects the content coding. From 0x80 on the rest is compressed first, and must come
    /// back unchanged.
    private static func inflate(_ input: UnsafeRawBufferPointer) throws {
        guard let first = input.first else { return }
        let inflater = Inflater(coding: first & 1 == 0 ? .gzip : .deflate, limit: 100_000)
        let body = Array(input[1...])
        guard first < 0x80 else {
            guard inflater.coding == .gzip, let packed = GzipEncoder.encode(body) else { return }
            let found = try? inflater.inflate(packed)
            return try check(found == body, "\(body) became \(String(describing: found))")
        }
        guard let result = try? inflater.inflate(body) else { return }
        try check(result.count <= inflater.limit, "\(result.count) bytes")
        try check(result.count <= max(Inflater.freeBytes, body.count * inflater.ratio), "\(result.count) bytes")
    }
}
