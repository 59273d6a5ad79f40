import Diagnostics
import JSON

/// The files that a `model.safetensors.index.json` or `pytorch_model.bin.index.json` lists. Its `weight_map` says which
/// file holds which tensor (transformers.modeling_utils.load_sharded_checkpoint).
struct ShardedFile: WeightFile {
    let path: String
    /// The format of the shards.
    let format: String
    let names: [String]
    private let tensors: [String: Tensor]

    /// - Parameter open: opens a shard by its name.
    /// - Throws: `FileError` naming the shard that is missing or broken, or the tensor that is not where the index says.
    init(index: MappedFile, open: (String) throws(FileError) -> any WeightFile) throws(FileError) {
        path = index.path
        func fail(_ message: String) -> FileError { FileError(file: index.path, message) }
        guard index.bytes.count <= SafetensorsFile.headerLimit else {
            throw fail("has \(index.bytes.count) bytes; at most \(SafetensorsFile.headerLimit) are read")
        }
        let json: JSONValue
        do throws(JSONError) {
            json = try JSONValue(parsing: index.bytes)
        } catch {
            throw fail("is not valid JSON: \(error)")
        }
        guard let map = json["weight_map"]?.object, !map.isEmpty else {
            throw fail("has no 'weight_map' object that names each tensor's file")
        }
        var shards: [String] = []
        var seen: Set<String> = []
        for (name, value) in map.members {
            guard let shard = value.string, isPlainFileName(shard) else {
                throw fail(
                    "maps tensor \(quoted(name)) to \(value.string.map(quoted) ?? value.kind); a plain file name inside the "
                        + "directory is needed")
            }
            if seen.insert(shard).inserted { shards.append(shard) }
        }
        var names: [String] = []
        var tensors: [String: Tensor] = [:]
        var shardOf: [String: String] = [:]
        var format = "safetensors"
        for shard in shards {
            let file: any WeightFile
            do throws(FileError) { file = try open(shard) } catch { throw fail("needs the shard \(error)") }
            format = file.format
            for name in file.names {
                if let other = shardOf[name] {
                    throw fail("tensor \(quoted(name)) is in two shards, \(quoted(other)) and \(quoted(shard))")
                }
                shardOf[name] = shard
                tensors[name] = file.tensor(name)
                names.append(name)
            }
        }
        for (name, value) in map.members where shardOf[name] != value.string {
            throw fail("says tensor \(quoted(name)) is in \(quoted(value.string ?? "")), which does not hold it")
        }
        self.format = format
        self.names = names
        self.tensors = tensors
    }

    func tensor(_ name: String) -> Tensor? { tensors[name] }
}
