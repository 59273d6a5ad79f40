import TestSupport
import Testing

@testable import ModelFiles

/// Files that must be refused, each with what the refusal has to say.
@Suite struct WeightsDamagedTests {
    private static let f32 = #""dtype":"F32","shape":[1],"#

    @Test(arguments: [
        (#"[]"#, 0, "start with '{'"),
        (#"{"t":{"# + f32 + #""data_offsets":[0,4]}"#, 4, "not valid JSON"),
        (#"{"t":{"# + f32 + #""data_offsets":[0,4]}}"#, 3, "'t' ends at byte 4"),
        (#"{"t":{"# + f32 + #""data_offsets":[0,4]}}"#, 5, "5 bytes of data"),
        (#"{"t":{"# + f32 + #""data_offsets":[4,0]}}"#, 4, "'t' ends at byte 0"),
        (#"{"t":{"# + f32 + #""data_offsets":[0,3]}}"#, 4, "'t' has 3 bytes"),
        (#"{"t":{"# + f32 + #""data_offsets":[4,8]}}"#, 8, "'t' starts at byte 4 of the data and leaves a hole"),
        (
            #"{"t":{"# + f32 + #""data_offsets":[0,4]},"u":{"# + f32 + #""data_offsets":[2,6]}}"#, 6,
            "'u' starts at byte 2 of the data and overlaps"
        ),
        (#"{"t":{"# + f32 + #""data_offsets":[0,4]},"t":{"# + f32 + #""data_offsets":[4,8]}}"#, 8, "not valid JSON"),
        (#"{"t":{"# + f32 + #""data_offsets":[-4,0]}}"#, 4, "'t' has 'data_offsets'"),
        (#"{"t":{"# + f32 + #""data_offsets":[0,4,8]}}"#, 4, "'t' has 'data_offsets'"),
        (#"{"t":{"# + f32 + #""data_offsets":[0,4],"x":1}}"#, 4, "unknown key 'x'"),
        (#"{"t":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}"#, 4, "'t' has dtype 'F8_E4M3'"),
        (#"{"t":{"shape":[1],"data_offsets":[0,4]}}"#, 4, "'t' has no 'dtype'"),
        (#"{"t":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "'t' has a 'shape'"),
        (#"{"t":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}"#, 4, "'t' has a 'shape'"),
        (#"{"t":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}"#, 4, "too large to count"),
        (#"{"t":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,4]}}"#, 4, "too large to count"),
        (#"{"t":1}"#, 0, "'t' is described by a number"),
        (#"{"__metadata__":{"a":1}}"#, 0, "__metadata__"),
        (#"{"t":"# + String(repeating: "[", count: 5000), 0, "not valid JSON"),
    ])
    func refusesSafetensors(_ row: (header: String, data: Int, says: String)) throws {
        let scratch = try ScratchDirectory()
        try scratch.write("m.safetensors", safetensors(row.header, [UInt8](repeating: 0, count: row.data)))
        let said = try #require(scratch.refusal("m.safetensors"))
        #expect(said.hasPrefix("m.safetensors") && said.contains(row.says), "\(said)")
    }

    @Test(
        arguments: [
            ([], "is empty"), ([1, 2, 3], "fewer than the 8"), ([0, 0, 0, 0, 0, 0, 0, 0x80], "at most 100000000"),
            ([255, 255, 255, 255, 255, 255, 255, 255], "at most 100000000"),
            ([9, 0, 0, 0, 0, 0, 0, 0, 0x7b], "only 1 follow"),
            ([3, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0xff, 0x7d], "not valid JSON"),
        ] as [([UInt8], String)])
    func refusesSafetensorsBytes(_ row: (bytes: [UInt8], says: String)) throws {
        let scratch = try ScratchDirectory()
        try scratch.write("m.safetensors", row.bytes)
        let said = try #require(scratch.refusal("m.safetensors"))
        #expect(said.contains(row.says), "\(said)")
    }

    /// Pickles behind the magic number and version of a legacy file and an empty dict for the system.
    @Test(arguments: [
        ("cos\nsystem\n(U\u{4}echotR.", "'os.system'"),
        ("c__builtin__\neval\n.", "'__builtin__.eval'"), ("cbuiltins\neval\n.", "'builtins.eval'"),
        ("ctorch\nload\n.", "'torch.load'"),
        ("ctorch.storage\n_load_from_bytes\n.", "'torch.storage._load_from_bytes'"),
        ("}(U\u{1}a", "truncated"), ("ios\nsystem\n.", "opcode 0x69"), ("a.", "takes a value"), ("t.", "has not begun"),
        ("h\u{5}.", "memo 5"), ("}}.", "2 values"), ("ccollections\nOrderedDict\n}R.", "without a tuple"),
        ("ctorch._utils\n_rebuild_tensor_v2\n)R.", "rebuilds a tensor"), ("U\u{1}xQ.", "other than a storage"),
        ("N.].", "dict of tensors"), ("}.].", "no tensors"), ("}.N.", "no list of storage keys"),
    ])
    func refusesPickle(_ row: (pickle: String, says: String)) throws {
        let scratch = try ScratchDirectory()
        let head: [UInt8] =
            [0x80, 2, 0x8a, 10] + PyTorchFile.legacyMagic + Array(".M".utf8) + [0xe9, 3] + Array(".}.".utf8)
        try scratch.write("m.pt", head + Array(row.pickle.utf8))
        let said = try #require(scratch.refusal("m.pt"))
        #expect(said.hasPrefix("m.pt") && said.contains(row.says), "\(said)")
    }

    @Test func refusesObjectArray() throws {
        #expect(throws: FileError.self) { try WeightFiles.open(directory: Folders.weights, configured: "object.npz") }
        let scratch = try ScratchDirectory()
        try scratch.write("object.npz", fileBytes("object.npz"))
        #expect(scratch.refusal("object.npz")?.contains("'a' is an object array") == true)
    }

    @Test func refusesChangedBytes() throws {
        let scratch = try ScratchDirectory()
        var bytes = try fileBytes("stored.npz")
        bytes[170] ^= 1
        try scratch.write("m.npz", bytes)
        #expect(scratch.refusal("m.npz")?.contains("CRC-32") == true, "\(scratch.refusal("m.npz") ?? "")")
        bytes = try fileBytes("stored.npz")
        bytes[0x1a] ^= 1
        try scratch.write("m.npz", bytes)
        #expect(scratch.refusal("m.npz")?.contains("local header") == true)
    }

    @Test func refusesNames() throws {
        let scratch = try ScratchDirectory()
        for name in ["../x", "a/b", "..", ""] {
            #expect(scratch.refusal(name)?.contains("plain file name") == true)
        }
        do throws(FileError) {
            _ = try WeightFiles.open(directory: scratch.path, configured: nil)
            Issue.record("an empty directory opened")
        } catch {
            #expect(error.message.contains("model.safetensors, "))
        }
        try scratch.write("i.json", Array(#"{"weight_map":{"a":"gone.safetensors"}}"#.utf8))
        #expect(scratch.refusal("i.json")?.contains("gone.safetensors") == true)
        try scratch.write("i.json", Array(#"{"weight_map":{"a":"../a"}}"#.utf8))
        #expect(scratch.refusal("i.json")?.contains("plain file name") == true)
    }

    @Test(arguments: [
        ("bomb.npz", "inflates to more than 100 times"), ("short-storage.pt", "'weight_ih_l0' is in storage '0'"),
        ("negative-stride.pt", "'weight_ih_l0' has strides [-3, 1]"),
        ("beyond-storage.pt", "'weight_ih_l0' reaches element 50"),
    ])
    func refusesArchives(_ row: (file: String, says: String)) throws {
        do throws(FileError) {
            _ = try WeightFiles.open(directory: Folders.weights, configured: row.file)
            Issue.record("\(row.file) opened")
        } catch {
            #expect(error.file == row.file && error.message.contains(row.says), "\(error)")
        }
    }
}
