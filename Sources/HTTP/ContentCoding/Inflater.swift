import CZlib

/// The content codings that a request body may have (RFC 9110, section 8.4.1).
package enum ContentCoding: Sendable, Equatable {
    /// RFC 1952; several members in a row are accepted.
    case gzip
    /// RFC 1950: HTTP's name for the zlib format.
    case deflate

    /// Fails if the coding is not supported.
    package init?(_ name: String) {
        switch name.lowercased() {
        case "gzip", "x-gzip": self = .gzip
        case "deflate": self = .deflate
        default: return nil
        }
    }
}

/// Undoes a content coding in bounded memory.
package struct Inflater {
    /// The reason why a body is refused.
    package enum Failure: Error, Equatable {
        /// The body is cut, damaged or followed by other bytes.
        case malformed
        /// The result is larger than `limit`.
        case tooLarge
        /// The result is larger than `ratio` times the body.
        case ratio
    }

    /// The size in bytes up to which a result is allowed whatever its ratio.
    package static let freeBytes = 64 << 10
    /// The default of `ratio`.
    package static let defaultRatio = 100

    /// The coding to undo.
    package let coding: ContentCoding
    /// The largest result in bytes.
    package let limit: Int
    /// The largest ratio of the result's size to the body's.
    package let ratio: Int

    package init(coding: ContentCoding, limit: Int, ratio: Int = Inflater.defaultRatio) {
        self.coding = coding
        self.limit = limit
        self.ratio = ratio
    }

    /// Returns the body without its coding.
    package func inflate(_ body: [UInt8]) throws(Failure) -> [UInt8] {
        // Beyond what HTTP takes as a body anyway.
        guard body.count < Int(UInt32.max) else { throw .tooLarge }
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        defer { stream.deallocate() }
        let window: Int32 = coding == .gzip ? 15 + 16 : 15
        guard inflateInit2_(stream, window, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw .tooLarge
        }
        defer { inflateEnd(stream) }
        let result: Result<[UInt8], Failure> = body.withUnsafeBufferPointer { bytes in
            do throws(Failure) { return .success(try run(stream, bytes)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    private func run(
        _ stream: UnsafeMutablePointer<z_stream>, _ bytes: UnsafeBufferPointer<UInt8>
    ) throws(Failure) -> [UInt8] {
        let (byRatio, overflow) = bytes.count.multipliedReportingOverflow(by: ratio)
        let ratioLimit = overflow ? Int.max : max(byRatio, Self.freeBytes)
        var out: [UInt8] = []
        stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress)
        stream.pointee.avail_in = UInt32(clamping: bytes.count)
        while true {
            let room = min(max(out.count, 16 << 10), 1 << 20)
            var status = Z_OK
            out.append(
                contentsOf: [UInt8](unsafeUninitializedCapacity: room) { space, count in
                    stream.pointee.next_out = space.baseAddress
                    stream.pointee.avail_out = UInt32(clamping: room)
                    status = CZlib.inflate(stream, Z_NO_FLUSH)
                    count = room - Int(stream.pointee.avail_out)
                })
            if out.count > limit { throw .tooLarge }
            if out.count > ratioLimit { throw .ratio }
            switch status {
            case Z_STREAM_END:
                if stream.pointee.avail_in == 0 { return out }
                guard coding == .gzip, inflateReset(stream) == Z_OK else { throw .malformed }
            case Z_OK:
                // Neither input is left nor room was lacking: the body ends too early.
                if stream.pointee.avail_in == 0, stream.pointee.avail_out > 0 { throw .malformed }
            default: throw .malformed
            }
        }
    }
}
