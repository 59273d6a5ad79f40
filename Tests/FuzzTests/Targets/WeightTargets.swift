@testable import ModelFiles

/// Fuzz targets for weight files.
///
/// Each file is a block of memory of exactly its size, so the sanitizer detects every read past its end.
enum WeightTargets {
    static let all = [
        FuzzTarget(name: "safetensors", maxLength: 1024, run: safetensors),
        FuzzTarget(name: "npz", maxLength: 2048, run: npz), FuzzTarget(name: "pickle", maxLength: 2048, run: pickle),
    ]

    /// Opens a file, checks the size of every tensor, and reads every byte.
    private static func opened(_ bytes: UnsafeRawBufferPointer, _ open: (MappedFile) throws -> any WeightFile) throws {
        let opened: any WeightFile
        do { opened = try open(MappedFile(name: "file", bytes: bytes)) } catch is FileError { return }
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

    /// Prevents the compiler from removing the sum of all bytes and the reads that it needs.
    @inline(never) private static func use(_ sum: UInt8) {}

    /// Opens a safetensors file. The first byte of the input modulo 3 selects the form of the rest:
    /// - 0: a whole file.
    /// - 1: a file without the length of its header.
    /// - 2: the index of a sharded file.
    private static func safetensors(_ input: UnsafeRawBufferPointer) throws {
        guard let first = input.first else { return }
        let rest = UnsafeRawBufferPointer(rebasing: input[1...])
        switch first % 3 {
        case 0: try opened(rest) { file in try SafetensorsFile(file) }
        case 1:
            // The header ends at the last brace. The data follow.
            let end = rest.lastIndex(of: UInt8(ascii: "}")).map { $0 + 1 } ?? rest.count
            let bytes = (0..<8).map { UInt8(truncatingIfNeeded: end >> (8 * $0)) } + rest
            try bytes.withUnsafeBytes { bytes in try opened(bytes) { file in try SafetensorsFile(file) } }
        default:
            let header = #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#.utf8
            let shard = [UInt8(header.count), 0, 0, 0, 0, 0, 0, 0] + Array(header) + [0, 0, 0, 0]
            try shard.withUnsafeBytes { shard in
                try opened(rest) { file in
                    try ShardedFile(index: file) { name throws(FileError) in
                        guard name.hasSuffix("s") else { throw FileError(file: name, "is missing") }
                        return try SafetensorsFile(MappedFile(name: name, bytes: shard))
                    }
                }
            }
        }
    }

    /// Opens an npz archive. The first byte of the input modulo 3 selects the form of the rest:
    /// - 0: a whole archive.
    /// - 1: one npy array, to be put into an archive with valid checksums.
    /// - 2: up to four npy arrays, likewise.
    private static func npz(_ input: UnsafeRawBufferPointer) throws {
        guard let first = input.first else { return }
        let rest = UnsafeRawBufferPointer(rebasing: input[1...])
        if first % 3 == 0 { return try opened(rest) { file in try NumpyArchive(ZipArchive(file)) } }
        let arrays = first % 3 == 1 ? [Array(rest)] : parts(rest)
        let zip = ZipBuilder.archive(arrays.enumerated().map { ("\($0).npy", $1) }, deflating: first & 0x40 != 0)
        try zip.withUnsafeBytes { bytes in try opened(bytes) { file in try NumpyArchive(ZipArchive(file)) } }
    }

    /// Opens a PyTorch checkpoint. The first byte of the input modulo 4 selects the form of the rest:
    /// - 0: a whole file in the legacy format.
    /// - 1: a whole zip archive.
    /// - 2: the pickle and storages, to be put into an archive with valid checksums.
    /// - 3: a legacy file without its magic number.
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

    /// Splits the bytes at 0xFE 0xFF into at most four parts.
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
