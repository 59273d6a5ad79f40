import Glibc
import ModelFiles

/// Finds and loads the tokenizer of a model directory.
public enum TokenizerLoader {
    /// Loads `tokenizer.json`, else the vocabulary of a tokenizer class (`vocab.txt`, `vocab.json` with `merges.txt`, a
    /// SentencePiece `.model`), else `characters.json`. tokenizer_config.json or the family names the class. `nil` if
    /// the directory has none of them.
    /// - Throws: the reason why the first of these files that exists cannot be used.
    public static func load(directory: String) throws(FileError) -> (any Tokenizer)? {
        if let bytes = try WholeFile.read("tokenizer.json", in: directory) {
            return try PipelineTokenizer(
                json: bytes, configuration: WholeFile.read("tokenizer_config.json", in: directory))
        }
        if let tokenizer = try TokenizerClasses.load(directory: directory) { return tokenizer }
        if let bytes = try WholeFile.read("characters.json", in: directory) {
            return try CharacterTokenizer(json: bytes)
        }
        return nil
    }

    /// Loads the tokenizer of a directory or of one file: a vocabulary with the files beside it, or a tokenizer.json of
    /// any name.
    public static func load(path: String) throws(FileError) -> (any Tokenizer)? {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return try load(directory: path) }
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        guard let bytes = try WholeFile.read(name, in: directory) else { return nil }
        if TokenizerClasses.classes.contains(where: { $0.file == name }) {
            return try TokenizerClasses.load(directory: directory)
        }
        return name == "characters.json"
            ? try CharacterTokenizer(json: bytes) : try PipelineTokenizer(json: bytes, file: name)
    }
}
