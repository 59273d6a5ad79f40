import CZlib
import Diagnostics
import Glibc

/// The members of a mapped zip archive (PKWARE APPNOTE 6.3.10,
/// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), zip64 included. Stored members stay mapped; deflated
/// ones are inflated into memory. Encrypted and multi-disk archives are refused.
struct ZipArchive {
    struct Member {
        let name: String
        let isDeflated: Bool
        let crc: UInt32
        /// The uncompressed size in bytes.
        let size: Int
        /// The member's bytes in the file, still compressed if `isDeflated`.
        let raw: UnsafeRawBufferPointer
    }

    let file: MappedFile
    let members: [Member]
    private let index: [String: Int]

    static let memberLimit = 100_000
    /// The largest uncompressed size of all members together: this many times the archive's size, plus 1 MiB.
    static let inflationLimit = 100

    /// - Throws: `FileError` naming the member and what is wrong with it.
    init(_ file: MappedFile) throws(FileError) {
        self.file = file
        func fail(_ message: String) -> FileError { FileError(file: file.path, "as a zip archive \(message)") }
        let bytes = file.bytes
        guard let directory = ZipArchive.endOfDirectory(bytes) else {
            throw fail("has no valid end of central directory: the file is truncated or damaged")
        }
        guard directory.count <= ZipArchive.memberLimit else {
            throw fail("has \(directory.count) members; at most \(ZipArchive.memberLimit) are read")
        }
        guard let central = bytes.slice(directory.offset, directory.size), directory.end <= directory.limit else {
            throw fail("has a central directory that is not inside the file")
        }
        var members: [Member] = []
        var index: [String: Int] = [:]
        var ranges: [(start: Int, end: Int, name: String)] = []
        var position = 0
        var inflated = 0
        for _ in 0..<directory.count {
            guard let header = central.slice(position, 46), header.integer(0, as: UInt32.self) == 0x0201_4b50,
                let nameLength = header.integer(28, as: UInt16.self).map(Int.init),
                let extraLength = header.integer(30, as: UInt16.self).map(Int.init),
                let commentLength = header.integer(32, as: UInt16.self).map(Int.init),
                let nameBytes = central.slice(position + 46, nameLength),
                let extra = central.slice(position + 46 + nameLength, extraLength),
                central.slice(position + 46 + nameLength + extraLength, commentLength) != nil
            else { throw fail("has a damaged central directory at entry \(members.count)") }
            position += 46 + nameLength + extraLength + commentLength
            guard let name = nameBytes.utf8 else { throw fail("has a member name that is not UTF-8") }
            let entry = try ZipArchive.entry(header, extra, fail, name)
            guard let raw = ZipArchive.content(bytes, entry, nameBytes, limit: directory.offset) else {
                throw fail("member \(quoted(name)) has a local header that is damaged or disagrees with the directory")
            }
            if let start = raw.baseAddress, let base = bytes.baseAddress {
                ranges.append((entry.offset, start - base + raw.count, name))
            }
            let (sum, overflow) = inflated.addingReportingOverflow(entry.isDeflated ? entry.size : 0)
            inflated = sum
            guard !overflow, inflated <= ZipArchive.inflationLimit * bytes.count + 1 << 20 else {
                throw fail(
                    "inflates to more than \(ZipArchive.inflationLimit) times its size at member \(quoted(name))")
            }
            guard index.updateValue(members.count, forKey: name) == nil else {
                throw fail("holds member \(quoted(name)) twice")
            }
            members.append(
                Member(name: name, isDeflated: entry.isDeflated, crc: entry.crc, size: entry.size, raw: raw))
        }
        guard position == central.count else { throw fail("has bytes after the last entry of its central directory") }
        ranges.sort { $0.start < $1.start }
        for (before, after) in zip(ranges, ranges.dropFirst()) where after.start < before.end {
            throw fail("members \(quoted(before.name)) and \(quoted(after.name)) overlap")
        }
        self.members = members
        self.index = index
    }

    func member(_ name: String) -> Member? { index[name].map { members[$0] } }

    /// Calls `body` with a member's bytes and the object that owns them: the mapping or the inflated memory. The bytes
    /// stay valid after the call only while that object is kept.
    /// - Throws: `FileError` if the data does not inflate to the size and CRC-32 that the directory gives.
    func read<Result>(
        _ member: Member, _ body: (_ bytes: UnsafeRawBufferPointer, _ owner: AnyObject) throws(FileError) -> Result
    ) throws(FileError) -> Result {
        var bytes = member.raw
        var owner: AnyObject = file
        if member.isDeflated {
            let memory = OwnedBytes(count: member.size)
            guard ZipArchive.inflate(member.raw, into: memory.bytes, count: member.size) else {
                throw FileError(
                    file: file.path, "member \(quoted(member.name)) does not inflate to its \(member.size) bytes")
            }
            bytes = UnsafeRawBufferPointer(start: memory.bytes.baseAddress, count: member.size)
            owner = memory
        }
        let crc = UInt32(truncatingIfNeeded: crc32_z(0, bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count))
        guard crc == member.crc else {
            throw FileError(
                file: file.path, "member \(quoted(member.name)) has a CRC-32 that its bytes do not: it is damaged")
        }
        return try withExtendedLifetime(owner) { () throws(FileError) in try body(bytes, owner) }
    }

    private struct Directory {
        var count: Int
        var size: Int
        var offset: Int
        /// The offset of the records after the directory.
        var limit: Int
        var end: Int {
            let (end, overflow) = offset.addingReportingOverflow(size)
            return overflow ? Int.max : end
        }
    }

    /// Finds the end of the central directory (section 4.3.16; sections 4.3.14 and 4.3.15 for zip64).
    private static func endOfDirectory(_ bytes: UnsafeRawBufferPointer) -> Directory? {
        var at = bytes.count - 22
        let first = max(0, at - 65_535)
        while at >= first {
            if bytes.integer(at, as: UInt32.self) == 0x0605_4b50,
                let comment = bytes.integer(at + 20, as: UInt16.self), at + 22 + Int(comment) == bytes.count
            {
                break
            }
            at -= 1
        }
        guard at >= first, let end = bytes.slice(at, 22),
            let here = end.integer(8, as: UInt16.self), let count = end.integer(10, as: UInt16.self),
            let size = end.integer(12, as: UInt32.self), let offset = end.integer(16, as: UInt32.self)
        else { return nil }
        guard count == .max || size == .max || offset == .max else {
            guard end.integer(4, as: UInt32.self) == 0, here == count else { return nil }
            return Directory(count: Int(count), size: Int(size), offset: Int(offset), limit: at)
        }
        guard let locator = bytes.slice(at - 20, 20), locator.integer(0, as: UInt32.self) == 0x0706_4b50,
            locator.integer(4, as: UInt32.self) == 0, locator.integer(16, as: UInt32.self).map({ $0 <= 1 }) == true,
            let recordAt = locator.integer(8, as: UInt64.self).flatMap({ Int(exactly: $0) }),
            let record = bytes.slice(recordAt, 56), record.integer(0, as: UInt32.self) == 0x0606_4b50,
            record.integer(16, as: UInt64.self) == 0,
            let here64 = record.integer(24, as: UInt64.self), let count64 = record.integer(32, as: UInt64.self),
            here64 == count64, let total = Int(exactly: count64),
            let size64 = record.integer(40, as: UInt64.self).flatMap({ Int(exactly: $0) }),
            let offset64 = record.integer(48, as: UInt64.self).flatMap({ Int(exactly: $0) })
        else { return nil }
        return Directory(count: total, size: size64, offset: offset64, limit: recordAt)
    }

    private struct Entry {
        let isDeflated: Bool
        let crc: UInt32
        let packedSize: Int
        let size: Int
        let offset: Int
    }

    /// Reads an entry of the central directory (section 4.3.12, with the zip64 extra field of 4.5.3).
    private static func entry(
        _ header: UnsafeRawBufferPointer, _ extra: UnsafeRawBufferPointer, _ fail: (String) -> FileError,
        _ name: String
    ) throws(FileError) -> Entry {
        guard let flags = header.integer(8, as: UInt16.self), let method = header.integer(10, as: UInt16.self),
            let crc = header.integer(16, as: UInt32.self), let packed32 = header.integer(20, as: UInt32.self),
            let size32 = header.integer(24, as: UInt32.self), let disk = header.integer(34, as: UInt16.self),
            let offset32 = header.integer(42, as: UInt32.self)
        else { throw fail("has a damaged central directory") }
        guard flags & 0x2041 == 0 else { throw fail("member \(quoted(name)) is encrypted") }
        guard method == 0 || method == 8 else {
            throw fail("member \(quoted(name)) uses compression method \(method); stored (0) and deflated (8) are read")
        }
        guard disk == 0 else { throw fail("member \(quoted(name)) is on another disk") }
        var wide: [UInt64] = []
        var at = 0
        while let id = extra.integer(at, as: UInt16.self), let length = extra.integer(at + 2, as: UInt16.self) {
            if id == 1, let field = extra.slice(at + 4, Int(length)) {
                wide = (0..<field.count / 8).compactMap { field.integer($0 * 8, as: UInt64.self) }
            }
            at += 4 + Int(length)
        }
        func widened(_ value: UInt32) throws(FileError) -> Int {
            if value != .max { return Int(value) }
            guard !wide.isEmpty, let number = Int(exactly: wide.removeFirst()) else {
                throw fail("member \(quoted(name)) has a size or position beyond what its zip64 field gives")
            }
            return number
        }
        let size = try widened(size32)
        let packedSize = try widened(packed32)
        let offset = try widened(offset32)
        guard method == 8 || size == packedSize else {
            throw fail("member \(quoted(name)) is stored but has two sizes, \(size) and \(packedSize)")
        }
        return Entry(isDeflated: method == 8, crc: crc, packedSize: packedSize, size: size, offset: offset)
    }

    /// The member's bytes after its local header (4.3.7). `nil` unless they lie before `limit` and the header agrees
    /// with the directory.
    private static func content(
        _ bytes: UnsafeRawBufferPointer, _ entry: Entry, _ name: UnsafeRawBufferPointer, limit: Int
    ) -> UnsafeRawBufferPointer? {
        guard let header = bytes.slice(entry.offset, 30), header.integer(0, as: UInt32.self) == 0x0403_4b50,
            let flags = header.integer(6, as: UInt16.self),
            header.integer(8, as: UInt16.self) == (entry.isDeflated ? 8 : 0),
            let packed = header.integer(18, as: UInt32.self), let size = header.integer(22, as: UInt32.self),
            let nameLength = header.integer(26, as: UInt16.self).map(Int.init),
            let extraLength = header.integer(28, as: UInt16.self).map(Int.init),
            let localName = bytes.slice(entry.offset + 30, nameLength), nameLength == name.count,
            localName.elementsEqual(name),
            let content = bytes.slice(entry.offset + 30 + nameLength + extraLength, entry.packedSize),
            entry.offset + 30 + nameLength + extraLength + entry.packedSize <= limit
        else { return nil }
        // With bit 3 the sizes follow the data; all ones mean that they are in a zip64 field.
        if flags & 8 == 0 {
            if packed != .max && Int(packed) != entry.packedSize { return nil }
            if size != .max && Int(size) != entry.size { return nil }
        }
        return content
    }

    /// Inflates raw deflate data (RFC 1951). Returns false unless it ends exactly at `count` bytes and uses all of
    /// `source`.
    private static func inflate(
        _ source: UnsafeRawBufferPointer, into out: UnsafeMutableRawBufferPointer, count: Int
    ) -> Bool {
        var stream = z_stream()
        guard
            inflateInit2_(&stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return false }
        defer { inflateEnd(&stream) }
        let input = UnsafeMutablePointer(mutating: source.bindMemory(to: UInt8.self).baseAddress)
        let output = out.bindMemory(to: UInt8.self).baseAddress
        guard let input, let output else { return false }
        var read = 0
        var written = 0
        while true {
            // zlib counts in 32 bits.
            let available = min(source.count - read, 1 << 30)
            let room = min(count - written, 1 << 30)
            stream.next_in = input + read
            stream.avail_in = UInt32(available)
            stream.next_out = output + written
            stream.avail_out = UInt32(room)
            let result = CZlib.inflate(&stream, Z_NO_FLUSH)
            let (used, made) = (available - Int(stream.avail_in), room - Int(stream.avail_out))
            read += used
            written += made
            if result == Z_STREAM_END { return written == count && read == source.count }
            if result != Z_OK || (used == 0 && made == 0) { return false }
        }
    }
}
