import Glibc

/// Reads small files of a model directory: configurations, tokenizers, vocabularies.
public enum WholeFile {
    /// Reads a whole regular file into memory. `nil` if the directory holds no file of that name.
    /// - Parameter limit: the largest size in bytes that is read; the vocabulary of some hundred thousand tokens has 20 MB.
    /// - Throws: `FileError` if the file cannot be read, is larger or is not a regular file.
    public static func read(
        _ name: String, in directory: String, limit: Int = 1 << 28
    ) throws(FileError) -> [UInt8]? {
        let descriptor = open("\(directory)/\(name)", O_RDONLY | O_CLOEXEC)
        if descriptor < 0 {
            let code = errno
            if code == ENOENT || code == ENOTDIR { return nil }
            throw FileError(file: name, "cannot be opened: \(String(cString: strerror(code)))")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw FileError(file: name, "not a regular file")
        }
        guard status.st_size <= limit else {
            throw FileError(file: name, "\(status.st_size) bytes; at most \(limit) are read")
        }
        let size = Int(status.st_size)
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size {
                let got = Glibc.read(descriptor, buffer.baseAddress.map { $0 + count }, size - count)
                if got < 0 && errno == EINTR { continue }
                if got < 0 { failure = errno }
                if got <= 0 { break }
                count += got
            }
        }
        if failure != 0 { throw FileError(file: name, "cannot be read: \(String(cString: strerror(failure)))") }
        return bytes
    }
}
