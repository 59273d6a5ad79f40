import Diagnostics
import Glibc
import JSON
import Kernels
import ModelFiles

/// The writer of quantized model directories: the dense weights in bf16 or int8, as safetensors.
///
/// Dense weights become bf16, or i8 with one f32 scale a row in `NAME_scale`: the values that loading the original with
/// `--precision` has. Embedding tables become bf16; other tensors stay f32. Tensors that the network does not use are
/// left out. config.json gets `encoderd_precision` and the name of the new weights. Every other file is copied, with the
/// weights of sentence-transformers' modules, which are f32 for every precision.
public struct ModelQuantizer {
    /// The counts and sizes of a written directory.
    public struct Summary: Sendable {
        public let file: String
        public let dense: Int
        public let tables: Int
        public let others: Int
        public let leftOut: [String]
        public let bytesBefore: Int
        public let bytesAfter: Int
    }

    /// A tensor to write, with its form.
    private struct Item {
        let tensor: Tensor
        let name: String
        let form: Form

        enum Form { case f32, bf16, bytes, scales }

        var entry: SafetensorsHeader.Entry {
            switch form {
            case .f32: .init(name: name, type: "F32", shape: tensor.shape, byteCount: 4 * tensor.count)
            case .bf16: .init(name: name, type: "BF16", shape: tensor.shape, byteCount: 2 * tensor.count)
            case .bytes: .init(name: name, type: "I8", shape: tensor.shape, byteCount: tensor.count)
            case .scales:
                .init(
                    name: name, type: "F32", shape: [tensor.shape.first ?? 0], byteCount: 4 * (tensor.shape.first ?? 0))
            }
        }
    }

    /// Writes a quantized copy of a model directory.
    /// - Parameters:
    ///   - output: A folder that does not exist yet.
    ///   - precision: bf16 or int8.
    /// - Throws: The errors of `Model.load`, and `FileError` if `output` exists or cannot be written.
    public static func quantize(
        directory: String, output: String, precision: Precision, kernels: KernelTable
    ) throws(FileError) -> Summary {
        let source = ModelDirectory(directory)
        // Loading the network tells which of its weights are dense.
        let reader = try Model.read(source, name: "", kernels: kernels, precision: precision).weights
        let (sentence, configuration) = (try source.sentence(), try source.writtenConfiguration())
        let folder = sentence.folder
        if let own = configuration.object["encoderd_precision"]?.string {
            throw FileError(
                file: configuration.file, "'encoderd_precision' is \(quoted(own)): the directory is quantized already")
        }
        if let name = reader.uses.keys.sorted().first(where: reader.isQuantized) {
            throw FileError(file: reader.file.path, "tensor \(quoted(name)) is quantized already")
        }
        guard !sentence.weightFolders.contains(folder) else {
            throw FileError(
                file: "modules.json",
                "names a module whose weights are in the network's folder; give it a folder of its own, in which they are kept"
            )
        }
        guard mkdir(output, 0o777) == 0 else {
            throw FileError(file: output, "cannot be made: \(String(cString: strerror(errno)))")
        }
        try copy(directory, to: output, path: "", keepingWeights: Set(sentence.weightFolders))

        let target = joinedPath(output, folder)
        let file = "model.safetensors"
        let items = items(reader, precision)
        let size = try write(items, path: target + "/" + file)
        try writeConfiguration(configuration.object, precision, weights: file, path: target + "/config.json")
        let before = reader.file.names.reduce(0) { $0 + (reader.file.tensor($1)?.bytes.count ?? 0) }
        return Summary(
            file: target + "/" + file,
            dense: items.count { $0.form == .bytes || ($0.form == .bf16 && isDense($0, reader)) },
            tables: items.count { $0.form == .bf16 && !isDense($0, reader) }, others: items.count { $0.form == .f32 },
            leftOut: reader.unused, bytesBefore: before, bytesAfter: size)
    }

    private static func isDense(_ item: Item, _ reader: WeightReader) -> Bool {
        reader.uses[item.tensor.name] == .dense
    }

    /// Lists the tensors to write, wider types first, so that all are aligned.
    private static func items(_ reader: WeightReader, _ precision: Precision) -> [Item] {
        var items: [Item] = []
        for name in reader.file.names {
            guard let tensor = reader.file.tensor(name), let use = reader.uses[name] else { continue }
            switch use {
            case .values: items.append(Item(tensor: tensor, name: name, form: .f32))
            case .table: items.append(Item(tensor: tensor, name: name, form: .bf16))
            case .dense where precision == .int8:
                items.append(Item(tensor: tensor, name: name, form: .bytes))
                items.append(Item(tensor: tensor, name: name + "_scale", form: .scales))
            case .dense: items.append(Item(tensor: tensor, name: name, form: .bf16))
            }
        }
        func width(_ item: Item) -> Int {
            switch item.form {
            case .f32, .scales: 4
            case .bf16: 2
            case .bytes: 1
            }
        }
        return [4, 2, 1].flatMap { bytes in items.filter { width($0) == bytes } }
    }

    private static func write(_ items: [Item], path: String) throws(FileError) -> Int {
        guard let stream = fopen(path, "wbx") else { throw systemError(path) }
        var size = 0
        func put(_ bytes: UnsafeRawBufferPointer) -> Bool {
            size += bytes.count
            return fwrite(bytes.baseAddress, 1, bytes.count, stream) == bytes.count
        }
        let header = SafetensorsHeader.bytes(items.map(\.entry), metadata: [("format", "pt")])
        var good = header.withUnsafeBytes(put)
        for item in items where good {
            let floats = item.tensor.floats
            switch item.form {
            case .f32: good = floats.withUnsafeBytes(put)
            case .bf16: good = floats.map { UInt16(truncatingIfNeeded: bf16Bits($0)) }.withUnsafeBytes(put)
            case .bytes, .scales:
                let (bytes, scales) = quantized(floats, rows: item.tensor.shape.first ?? 0)
                good = item.form == .bytes ? bytes.withUnsafeBytes(put) : scales.withUnsafeBytes(put)
            }
        }
        guard fclose(stream) == 0, good else { throw systemError(path) }
        return size
    }

    private static func quantized(_ values: [Float], rows: Int) -> (bytes: [Int8], scales: [Float]) {
        let width = rows > 0 ? values.count / rows : 0
        var bytes = [Int8](repeating: 0, count: values.count)
        var scales = [Float](repeating: 0, count: rows)
        values.withUnsafeBufferPointer { values in
            guard let base = values.baseAddress else { return }
            for row in 0..<rows {
                let scale = quantizedScale(base + row * width, width)
                scales[row] = scale
                for i in 0..<width {
                    bytes[row * width + i] = Int8(truncatingIfNeeded: quantizedWeight(base[row * width + i], scale))
                }
            }
        }
        return (bytes, scales)
    }

    private static func writeConfiguration(
        _ object: JSONObject, _ precision: Precision, weights: String, path: String
    ) throws(FileError) {
        var changed = JSONObject()
        for (key, value) in object.members where key != "weights" { changed.append(key, value) }
        changed.append("weights", .string(weights))
        changed.append("encoderd_precision", .string(precision.rawValue))
        var json = JSONWriter()
        json.value(.object(changed))
        // This replaces the copy.
        guard let stream = fopen(path, "wb") else { throw systemError(path) }
        let good = json.bytes.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, stream) == $0.count }
        guard fclose(stream) == 0, good else { throw systemError(path) }
    }

    /// The endings of weight files, of this and of other programs, which are not copied.
    private static let weightEndings = [
        ".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pt", ".pth", ".npz", ".h5", ".msgpack",
        ".onnx", ".ot", ".gguf", ".xml",
    ]

    /// Copies the regular files of a folder and of the folders in it, without hidden files, and with the weights of some
    /// folders only.
    /// - Parameter weightFolders: The paths of these folders inside the directory.
    private static func copy(
        _ directory: String, to output: String, path: String, keepingWeights weightFolders: Set<String>
    ) throws(FileError) {
        let source = joinedPath(directory, path)
        let keepsWeights = weightFolders.contains(path)
        guard let folder = opendir(source) else { throw systemError(source) }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix(".") || !keepsWeights && weightEndings.contains(where: name.hasSuffix) { continue }
            let relative = joinedPath(path, name)
            var status = stat()
            guard stat(directory + "/" + relative, &status) == 0 else { continue }
            switch status.st_mode & S_IFMT {
            case S_IFDIR:
                // sentence-transformers writes two levels; deeper ones may be links that lead back here.
                guard relative.split(separator: "/").count <= 2, lstatIsFolder(directory + "/" + relative) else {
                    continue
                }
                guard mkdir(output + "/" + relative, 0o777) == 0 else { throw systemError(output + "/" + relative) }
                try copy(directory, to: output, path: relative, keepingWeights: weightFolders)
            case S_IFREG where keepsWeights || status.st_size <= 256 << 20:
                try copyFile(directory + "/" + relative, to: output + "/" + relative)
            default: continue
            }
        }
    }

    private static func lstatIsFolder(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func copyFile(_ source: String, to target: String) throws(FileError) {
        guard let input = fopen(source, "rb") else { throw systemError(source) }
        defer { fclose(input) }
        guard let output = fopen(target, "wbx") else { throw systemError(target) }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        var good = true
        while good {
            let count = fread(&buffer, 1, buffer.count, input)
            if count == 0 { break }
            good = fwrite(buffer, 1, count, output) == count
        }
        guard fclose(output) == 0, good, ferror(input) == 0 else { throw systemError(target) }
    }

    private static func systemError(_ path: String) -> FileError {
        FileError(file: path, String(cString: strerror(errno)))
    }
}

extension Tensor {
    /// The values in f32, [count]; empty for an integer type.
    fileprivate var floats: [Float] {
        [Float](unsafeUninitializedCapacity: count) { buffer, filled in
            guard let base = buffer.baseAddress, convert(to: base) else { return }
            filled = count
        }
    }
}
