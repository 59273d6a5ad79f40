import TestSupport
import Testing

@testable import HTTP

private let (body, gzipped, deflated, raw) = (CodedText.plain, CodedText.gzip, CodedText.zlib, CodedText.deflate)
private let twoMembers = CodedText.twoMembers

@Suite struct InflaterTests {
    @Test(arguments: [
        (ContentCoding.gzip, gzipped), (.deflate, deflated), (.gzip, twoMembers),
    ])
    func inflates(coding: ContentCoding, input: [UInt8]) throws {
        #expect(try Inflater(coding: coding, limit: body.count).inflate(input) == body)
        #expect(throws: Inflater.Failure.tooLarge) {
            try Inflater(coding: coding, limit: body.count - 1).inflate(input)
        }
        // Cut anywhere it is refused, but for a whole first member.
        for count in 0..<input.count where !(input == twoMembers && count == 30) {
            #expect(throws: Inflater.Failure.malformed, "\(count)") {
                try Inflater(coding: coding, limit: 1 << 20).inflate(Array(input.prefix(count)))
            }
        }
    }

    @Test(arguments: [
        (ContentCoding.gzip, deflated), (.deflate, gzipped), (.deflate, raw), (.gzip, body), (.gzip, []),
        (.gzip, gzipped + [0]), (.deflate, deflated + deflated), (.gzip, gzipped.dropLast(5) + [0, 0, 0, 0, 0]),
    ])
    func refuses(coding: ContentCoding, input: [UInt8]) {
        #expect(throws: Inflater.Failure.malformed) { try Inflater(coding: coding, limit: 1 << 20).inflate(input) }
    }

    @Test func bombs() throws {
        let zeros = [UInt8](repeating: 0x20, count: 8 << 20)
        let bomb = try #require(GzipEncoder.encode(zeros))
        #expect(bomb.count < zeros.count / Inflater.defaultRatio)
        #expect(throws: Inflater.Failure.ratio) { try Inflater(coding: .gzip, limit: 32 << 20).inflate(bomb) }
        #expect(throws: Inflater.Failure.tooLarge) { try Inflater(coding: .gzip, limit: 1 << 20).inflate(bomb) }
        // A small one is no danger, whatever its ratio.
        let small = try #require(GzipEncoder.encode(Array(zeros.prefix(Inflater.freeBytes))))
        #expect(try Inflater(coding: .gzip, limit: 1 << 20).inflate(small).count == Inflater.freeBytes)
        let text = try #require(
            GzipEncoder.encode(Array(repeatElement(Array("a text, ".utf8), count: 20_000).joined())))
        #expect(throws: Inflater.Failure.ratio) { try Inflater(coding: .gzip, limit: 1 << 20, ratio: 2).inflate(text) }
        #expect(try Inflater(coding: .gzip, limit: 1 << 20, ratio: 1000).inflate(text).count == 160_000)
    }

    @Test(arguments: [0, 1, 1000, 300_000])
    func whatIsCompressedInflates(count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13) }
        let encoder = try #require(GzipEncoder())
        var pieces: [UInt8] = []
        for start in stride(from: 0, to: count, by: 70_001) {
            pieces += bytes[start..<min(start + 70_001, count)].withUnsafeBytes { encoder.encode($0, isLast: false) }
        }
        pieces += encoder.encode(UnsafeRawBufferPointer(start: nil, count: 0), isLast: true)
        #expect(try Inflater(coding: .gzip, limit: 1 << 20).inflate(pieces) == bytes)
        let whole = try #require(GzipEncoder.encode(bytes))
        #expect(try Inflater(coding: .gzip, limit: 1 << 20).inflate(whole) == bytes)
    }
}

@Suite struct AcceptEncodingTests {
    /// RFC 9110, section 12.5.3.
    @Test(
        arguments: [
            (nil, false, true), ("", false, true), ("gzip", true, true), ("GZIP", true, true), ("x-gzip", true, true),
            ("gzip, deflate, br", true, true), ("br", false, true), ("*", true, true), ("*;q=0", false, false),
            ("gzip;q=0", false, true), ("gzip;q=0, *", false, true), ("gzip; q=0.5", true, true),
            ("gzip;q=0.5, identity", false, true), ("gzip;q=0.5, identity;q=0.5", true, true),
            ("identity;q=0", false, false), ("identity;q=0, gzip;q=0.001", true, false),
            ("*;q=0, gzip", true, false), ("*;q=0, identity", false, true), ("gzip;q=2", false, true),
            ("gzip;q=x", false, true), (",,gzip", true, true), ("gzip;x=1", true, true),
        ] as [(String?, Bool, Bool)])
    func choices(field: String?, gzip: Bool, identity: Bool) {
        let accept = AcceptEncoding(field)
        #expect(accept.gzip == gzip && accept.identity == identity)
    }
}
