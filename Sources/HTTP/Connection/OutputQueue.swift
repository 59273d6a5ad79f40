import Glibc

/// The segments that wait to be written. They are written from their own memory, without a copy.
struct OutputQueue {
    private var segments: [any ByteSegment] = []
    private var index = 0
    private var offset = 0
    private static let maxVectors = 16
    /// The most bytes of one write, so that a fast reader does not hold the loop.
    private static let maxBytesPerWrite = 1 << 20

    var isEmpty: Bool { segments.isEmpty }
    /// The number of bytes that are still to be written.
    private(set) var byteCount = 0

    mutating func append(_ segment: any ByteSegment) {
        guard segment.byteCount > 0 else { return }
        segments.append(segment)
        byteCount += segment.byteCount
    }

    mutating func removeAll() {
        segments = []
        index = 0
        offset = 0
        byteCount = 0
    }

    mutating func write(to transport: any HTTPTransport) -> IOResult {
        var vectors: [iovec] = []
        vectors.reserveCapacity(min(segments.count - index, Self.maxVectors))
        var result = IOResult.bytes(0)
        gather(index, offset, Self.maxBytesPerWrite, &vectors) { result = transport.write($0) }
        if case .bytes(let count) = result { advance(count) }
        return result
    }

    /// Calls `write` with the segments' bytes. One `withBytes` nests in another, so that all pointers are valid meanwhile.
    private func gather(
        _ index: Int, _ offset: Int, _ budget: Int, _ vectors: inout [iovec], _ write: ([iovec]) -> Void
    ) {
        guard index < segments.count, vectors.count < Self.maxVectors, budget > 0 else { return write(vectors) }
        segments[index].withBytes { bytes in
            let rest = UnsafeRawBufferPointer(rebasing: bytes[min(offset, bytes.count)...])
            let count = min(rest.count, budget)
            vectors.append(iovec(iov_base: UnsafeMutableRawPointer(mutating: rest.baseAddress), iov_len: count))
            gather(index + 1, 0, budget - count, &vectors, write)
        }
    }

    private mutating func advance(_ count: Int) {
        offset += count
        byteCount -= count
        while index < segments.count, offset >= segments[index].byteCount {
            offset -= segments[index].byteCount
            // Frees a segment as soon as it is written.
            segments[index] = ArraySegment<UInt8>([])
            index += 1
        }
        if index == segments.count { removeAll() }
    }
}
