import Glibc
import ModelFiles

/// Joins a directory and a path inside it, either of which may be empty.
func joinedPath(_ directory: String, _ path: String) -> String {
    directory.isEmpty || path.isEmpty ? directory + path : directory + "/" + path
}

/// A model directory. Its small files are read when first asked for, once.
public final class ModelDirectory {
    public let path: String
    /// JSON files by their path relative to the directory; an entry is `nil` if there is no such file.
    private var files: [String: ConfigurationFile?] = [:]
    private var sentenceTransformers: SentenceTransformersConfiguration?

    public init(_ path: String) { self.path = path }

    /// Checks that the path leads to a directory.
    func checkIsDirectory() throws(FileError) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw FileError(file: path, "cannot be opened: \(String(cString: strerror(errno)))")
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw FileError(
                file: path, "is not a directory; a model is a directory with config.json and weights in it")
        }
    }

    /// A file whose JSON text is an object. `nil` if there is no such file.
    /// - Parameters:
    ///   - name: The file's name, which errors show.
    ///   - folder: The folder inside the directory; empty for the directory itself.
    func json(_ name: String, in folder: String = "") throws(FileError) -> ConfigurationFile? {
        let key = joinedPath(folder, name)
        if let found = files[key] { return found }
        let file = try ConfigurationFile.read(name, in: joinedPath(path, folder))
        files[key] = .some(file)
        return file
    }

    /// The settings that sentence-transformers' files give; empty ones if there are no such files.
    func sentence() throws(FileError) -> SentenceTransformersConfiguration {
        if let sentenceTransformers { return sentenceTransformers }
        let made = try SentenceTransformersConfiguration(self)
        sentenceTransformers = made
        return made
    }

    /// The folder of config.json, the weights and the tokenizer, as a path: the directory, or the first module's folder in it.
    func networkPath() throws(FileError) -> String {
        joinedPath(path, try sentence().folder)
    }

    /// config.json as it is written.
    func writtenConfiguration() throws(FileError) -> ConfigurationFile {
        guard let file = try json("config.json", in: sentence().folder) else {
            throw FileError(file: path, "holds no config.json, which says what kind of model it is")
        }
        return file
    }

    /// config.json with the values that sentence_bert_config.json puts in the place of its own.
    func configuration() throws(FileError) -> ConfigurationFile {
        try writtenConfiguration().overridden(by: sentence().configuration)
    }

    /// tokenizer_config.json. `nil` if there is none.
    func tokenizerConfiguration() throws(FileError) -> ConfigurationFile? {
        try json("tokenizer_config.json", in: sentence().folder)
    }

    /// Opens the weights: the file that config.json names, else the first of the usual names.
    public func openWeights() throws(FileError) -> any WeightFile {
        try WeightFiles.open(directory: networkPath(), configured: configuration().string("weights"))
    }
}
