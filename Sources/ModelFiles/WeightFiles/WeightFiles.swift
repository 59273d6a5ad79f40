import Diagnostics
import Glibc

/// Finds and opens the weights of a model directory.
public enum WeightFiles {
    /// The file names tried, in this order, if config.json names no file.
    public static let candidates = [
        "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
        "pytorch_model.bin.index.json", "model.npz", "model.pt", "model.pth",
        "weights.safetensors", "weights.npz", "weights.pt",
    ]

    /// Opens the file that `"weights"` in config.json names, else the first of `candidates` that exists. The file lies
    /// directly inside the directory. Its format follows from the name's extension, else from the content.
    /// - Throws: `FileError` listing what was looked for, or naming what is wrong with the file.
    public static func open(directory: String, configured: String?) throws(FileError) -> any WeightFile {
        if let configured {
            guard isPlainFileName(configured) else {
                throw FileError(
                    file: "config.json",
                    "'weights' is \(quoted(configured)); it must be a plain file name inside the model directory")
            }
            return try open(directory: directory, name: configured)
        }
        guard let found = candidates.first(where: { access(directory + "/" + $0, F_OK) == 0 }) else {
            throw FileError(
                file: directory,
                "holds no weights: looked for \(candidates.joined(separator: ", ")); 'weights' in config.json can name "
                    + "another file")
        }
        return try open(directory: directory, name: found)
    }

    private static func open(directory: String, name: String) throws(FileError) -> any WeightFile {
        let file = try MappedFile(directory: directory, name: name)
        // https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
        if file.bytes.starts(with: "version https://git-lfs.github.com/spec/".utf8) {
            throw FileError(file: name, "is a Git LFS pointer, not the weights: run 'git lfs pull'")
        }
        if name.hasSuffix(".safetensors") { return try SafetensorsFile(file) }
        if name.hasSuffix(".json") {
            return try ShardedFile(index: file) { shard throws(FileError) in
                // An index names no other.
                guard !shard.hasSuffix(".json") else { throw FileError(file: shard, "is no file of weights") }
                return try open(directory: directory, name: shard)
            }
        }
        if file.bytes.starts(with: Array("PK".utf8)) {
            let archive = try ZipArchive(file)
            if PyTorchFile.main(in: archive) != nil { return try PyTorchFile(archive) }
            guard archive.members.contains(where: { $0.name.hasSuffix(".npy") }) else {
                throw FileError(file: name, "is a zip archive of neither .npy arrays nor a PyTorch checkpoint")
            }
            return try NumpyArchive(archive)
        }
        if file.bytes.first == 0x80 { return try PyTorchFile(legacy: file) }
        if file.bytes.count > 8, file.bytes[8] == UInt8(ascii: "{") { return try SafetensorsFile(file) }
        throw FileError(file: name, "is not recognized as safetensors, npz or a PyTorch checkpoint")
    }
}
