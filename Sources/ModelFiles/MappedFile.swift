import Glibc

/// A regular file mapped read-only. The mapping lives as long as this object; the file descriptor is closed at once.
///
/// If another process shortens the file while it is mapped, reading the lost part ends this process with SIGBUS. A
/// weight file is therefore replaced by renaming a new one over it.
package final class MappedFile: @unchecked Sendable {
    /// The file's name relative to the model directory, for messages.
    package let path: String
    package let bytes: UnsafeRawBufferPointer
    private let isMapped: Bool

    /// Wraps bytes in memory. The caller keeps them valid for as long as this object lives.
    package init(name: String, bytes: UnsafeRawBufferPointer) {
        path = name
        self.bytes = bytes
        isMapped = false
    }

    /// - Throws: `FileError` if the file cannot be opened, is not a regular file, or is empty.
    package init(directory: String, name: String) throws(FileError) {
        path = name
        isMapped = true
        // O_NONBLOCK: a FIFO in place of the file is refused below rather than waited for.
        let descriptor = open(directory + "/" + name, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw MappedFile.systemError(name, "cannot be opened") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw MappedFile.systemError(name, "cannot be examined") }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw FileError(file: name, "is not a regular file; weights are read from regular files")
        }
        let size = Int(status.st_size)
        guard size > 0 else { throw FileError(file: name, "is empty") }
        guard let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0),
            address != UnsafeMutableRawPointer(bitPattern: -1)
        else { throw MappedFile.systemError(name, "cannot be mapped") }
        bytes = UnsafeRawBufferPointer(start: address, count: size)
        madvise(address, size, Int32(MADV_WILLNEED))
    }

    deinit { if isMapped { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) } }

    /// Lets the whole pages inside `range` leave the resident set. Reading them again loads them from the file.
    package func release(_ range: UnsafeRawBufferPointer) {
        guard isMapped, let base = bytes.baseAddress, let start = range.baseAddress else { return }
        let from = start - base
        guard from >= 0, from <= bytes.count, range.count <= bytes.count - from else { return }
        let page = sysconf(Int32(_SC_PAGESIZE))
        let first = (from + page - 1) / page * page
        let last = (from + range.count) / page * page
        if last > first { madvise(UnsafeMutableRawPointer(mutating: base + first), last - first, Int32(MADV_DONTNEED)) }
    }

    private static func systemError(_ name: String, _ what: String) -> FileError {
        FileError(file: name, "\(what): \(String(cString: strerror(errno)))")
    }
}
