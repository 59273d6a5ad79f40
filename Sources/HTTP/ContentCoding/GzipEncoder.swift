import CZlib

/// Compresses to gzip (RFC 1952), a piece at a time.
package final class GzipEncoder: @unchecked Sendable {
    /// The compression level. Higher levels take several times as long and save a few percent on numbers (ARCHITECTURE.md).
    package static let level: Int32 = 1

    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

    /// Fails if memory is short.
    package init?() {
        stream.initialize(to: z_stream())
        // 16 asks for gzip's header and checksum instead of zlib's.
        let status = deflateInit2_(
            stream, Self.level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard status == Z_OK else {
            stream.deallocate()
            return nil
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    /// Compresses a piece. Returns the output that is ready, which is all the rest after the last piece.
    package func encode(_ bytes: UnsafeRawBufferPointer, isLast: Bool) -> [UInt8] {
        var out: [UInt8] = []
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(clamping: bytes.count)
        var status = Z_OK
        repeat {
            let room = max(4096, Int(stream.pointee.avail_in) / 2)
            out.append(
                contentsOf: [UInt8](unsafeUninitializedCapacity: room) { space, count in
                    stream.pointee.next_out = space.baseAddress
                    stream.pointee.avail_out = UInt32(clamping: room)
                    status = deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
                    count = room - Int(stream.pointee.avail_out)
                })
        } while status == Z_OK && stream.pointee.avail_out == 0
        stream.pointee.next_in = nil
        stream.pointee.next_out = nil
        return out
    }

    /// Compresses `bytes` to one gzip member; `nil` if memory is short or they are 4 GiB or more.
    package static func encode(_ bytes: [UInt8]) -> [UInt8]? {
        guard bytes.count < Int(UInt32.max) else { return nil }
        return GzipEncoder().map { encoder in bytes.withUnsafeBytes { encoder.encode($0, isLast: true) } }
    }
}
