@testable import Models

/// Files of weights, from bytes in memory that end where the file does, so that the sanitizer sees every read beyond it.
enum WeightTargets {
    static let all = [
        FuzzTarget(name: "safetensors", maxLength: 1024, run: safetensors),
        FuzzTarget(name: "npz", maxLength: 2048, run: npz), FuzzTarget(name: "pickle", maxLength: 2048, run: pickle),
    ]

    private static func opened(_ bytes: UnsafeRawBufferPointer, _ open: (MappedFile) throws -> any WeightFile) throws {
        let opened: any WeightFile
        do { opened = try open(MappedFile(name: "file", bytes: bytes)) } catch is ModelError { return }
        var sum: UInt8 = 0
        for name in opened.names {
            guard let tensor = opened.tensor(name) else {
                throw Finding(description: "\(name) is listed, but not there")
            }
            try check(
                checkedByteCount(tensor.shape, tensor.dataType) == tensor.bytes.count,
                "\(name) \(tensor.shape) has \(tensor.bytes.count) bytes")
            for byte in tensor.bytes { sum &+= byte }
        }
        use(sum)
    }

    /// Keeps the sum of all bytes from being optimized away, and with it the reading.
    @inline(never) private static func use(_ sum: UInt8) {}

    /// After the first byte: a file, or (1) its header without the length, or (2) the index of a sharded one.
    private static func safetensors(_ input: UnsafeRawBufferPointer) throws {
        guard let first = input.first else { return }
        let rest = UnsafeRawBufferPointer(rebasing: input[1...])
        switch first % 3 {
        case 0: try opened(rest) { file in try SafetensorsFile(file) }
        case 1:
            // The header goes up to its last brace; data follow.
            let end = rest.lastIndex(of: UInt8(ascii: "}")).map { $0 + 1 } ?? rest.count
            let bytes = (0..<8).map { UInt8(truncatingIfNeeded: end >> (8 * $0)) } + rest
            try bytes.withUnsafeBytes { bytes in try opened(bytes) { file in try SafetensorsFile(file) } }
        default:
            let header = #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#.utf8
            let shard = [UInt8(header.count), 0, 0, 0, 0, 0, 0, 0] + Array(header) + [0, 0, 0, 0]
            try shard.withUnsafeBytes { shard in
                try opened(rest) { file in
                    try ShardedFile(directory: "", index: file) { name throws(ModelError) in
                        guard name.hasSuffix("s") else { throw ModelError(file: name, "is missing") }
                        return try SafetensorsFile(MappedFile(name: name, bytes: shard))
                    }
                }
            }
        }
    }

    /// After the first byte: an archive, or (1) an array, or (2) several with their members' checksums right.
    private static func npz(_ input: UnsafeRawBufferPointer) throws {
        guard let first = input.first else { return }
        let rest = UnsafeRawBufferPointer(rebasing: input[1...])
        if first % 3 == 0 { return try opened(rest) { file in try NumpyArchive(ZipArchive(file)) } }
        let arrays = first % 3 == 1 ? [Array(rest)] : parts(rest)
        let zip = ZipBuilder.archive(arrays.enumerated().map { ("\($0).npy", $1) }, deflating: first & 0x40 != 0)
        try zip.withUnsafeBytes { bytes in try opened(bytes) { file in try NumpyArchive(ZipArchive(file)) } }
    }

    /// After the first byte: a legacy file, or (1) an archive, or (2) its pickle and storages, or (3) a legacy file behind
    /// its magic number.
    private static func pickle(_ input: UnsafeRawBufferPointer) throws {
        guard let first = input.first else { return }
        let rest = UnsafeRawBufferPointer(rebasing: input[1...])
        switch first % 4 {
        case 0: try opened(rest) { file in try PyTorchFile(legacy: file) }
        case 1: try opened(rest) { file in try PyTorchFile(ZipArchive(file)) }
        case 2:
            let names = ["a/data.pkl", "a/data/0", "a/data/1", "a/byteorder"]
            let zip = ZipBuilder.archive(Array(zip(names, parts(rest))), deflating: first & 0x40 != 0)
            try zip.withUnsafeBytes { bytes in try opened(bytes) { file in try PyTorchFile(ZipArchive(file)) } }
        default:
            let head: [UInt8] =
                [0x80, 2, 0x8a, 10] + PyTorchFile.legacyMagic + Array(".M".utf8) + [0xe9, 3] + Array(".}.".utf8)
            try (head + rest).withUnsafeBytes { bytes in try opened(bytes) { file in try PyTorchFile(legacy: file) } }
        }
    }

    /// Up to four members of a file, between the bytes 0xFE 0xFF.
    private static func parts(_ bytes: UnsafeRawBufferPointer) -> [[UInt8]] {
        var parts: [[UInt8]] = [[]]
        for byte in bytes {
            if byte == 0xFF, parts.count < 4, parts[parts.count - 1].last == 0xFE {
                parts[parts.count - 1].removeLast()
                parts.append([])
            } else {
                parts[parts.count - 1].append(byte)
            }
        }
        return parts
    }
}
