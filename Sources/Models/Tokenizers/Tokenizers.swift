import Glibc
import JSON

/// Finds a model directory's tokenizer.
public enum Tokenizers {
    /// `tokenizer.json`, else a vocabulary that the class of tokenizer_config.json or of the family reads (`vocab.txt`,
    /// `vocab.json` with `merges.txt`, SentencePiece's `.model`), else `characters.json`, else nil.
    /// - Throws: the first of them that is there, but cannot be used.
    public static func load(directory: String) throws(ModelError) -> (any Tokenizer)? {
        if let bytes = try read("tokenizer.json", in: directory) {
            return try PipelineTokenizer(json: bytes, configuration: read("tokenizer_config.json", in: directory))
        }
        if let tokenizer = try TokenizerClasses.load(directory: directory) { return tokenizer }
        if let bytes = try read("characters.json", in: directory) { return try CharacterTokenizer(json: bytes) }
        return nil
    }

    /// The tokenizer of a directory, or of one file: a vocabulary, with what stands beside it, or a tokenizer.json of any
    /// name.
    public static func load(path: String) throws(ModelError) -> (any Tokenizer)? {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return try load(directory: path) }
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        guard let bytes = try read(name, in: directory) else { return nil }
        if TokenizerClasses.classes.contains(where: { $0.file == name }) {
            return try TokenizerClasses.load(directory: directory)
        }
        return name == "characters.json"
            ? try CharacterTokenizer(json: bytes) : try PipelineTokenizer(json: bytes, file: name)
    }

    /// A whole file; nil if there is none of that name. Vocabularies of some hundred thousand tokens are 20 MB.
    static func read(_ name: String, in directory: String, limit: Int = 1 << 28) throws(ModelError) -> [UInt8]? {
        let descriptor = open("\(directory)/\(name)", O_RDONLY | O_CLOEXEC)
        if descriptor < 0 {
            let code = errno
            if code == ENOENT || code == ENOTDIR { return nil }
            throw ModelError(file: name, "cannot be opened: \(String(cString: strerror(code)))")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw ModelError(file: name, "not a regular file")
        }
        guard status.st_size <= limit else {
            throw ModelError(file: name, "\(status.st_size) bytes; at most \(limit) are read")
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
        if failure != 0 { throw ModelError(file: name, "cannot be read: \(String(cString: strerror(failure)))") }
        return bytes
    }
}
