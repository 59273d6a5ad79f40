/// A value of a pickle. Containers are stored in `Pickle.containers` and referred to by index, so that shared, cyclic
/// or deeply nested ones need no recursion.
enum PickleValue {
    case none
    case bool(Bool)
    case integer(Int)
    case string(String)
    /// An integer beyond 64 bits, little-endian two's complement.
    case longInteger([UInt8])
    /// A value that weights do not need: a float, bytes, a set, a dtype, a device.
    case opaque
    case global(PickleGlobal)
    case container(Int)
    case storage(Int)
    case tensor(Int)
}

/// The global names that a pickle may use. No name is looked up: this interpreter implements each of them.
enum PickleGlobal {
    case rebuildTensor, rebuildParameter, orderedDict, size, inert
    case storageType(DataType)

    init?(module: String, name: String) {
        switch (module, name) {
        case ("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_tensor"): self = .rebuildTensor
        case ("torch._utils", "_rebuild_parameter"), ("torch._utils", "_rebuild_parameter_with_state"):
            self = .rebuildParameter
        case ("collections", "OrderedDict"): self = .orderedDict
        case ("torch", "Size"): self = .size
        case ("torch", "device"), ("torch.serialization", "_get_layout"), ("torch", "float32"), ("torch", "float16"),
            ("torch", "bfloat16"), ("torch", "float64"), ("torch", "int64"):
            self = .inert
        case ("torch", "DoubleStorage"): self = .storageType(.f64)
        case ("torch", "FloatStorage"): self = .storageType(.f32)
        case ("torch", "HalfStorage"): self = .storageType(.f16)
        case ("torch", "BFloat16Storage"): self = .storageType(.bf16)
        case ("torch", "LongStorage"): self = .storageType(.i64)
        case ("torch", "IntStorage"): self = .storageType(.i32)
        case ("torch", "ShortStorage"): self = .storageType(.i16)
        case ("torch", "CharStorage"): self = .storageType(.i8)
        case ("torch", "ByteStorage"): self = .storageType(.u8)
        case ("torch", "BoolStorage"): self = .storageType(.bool)
        default: return nil
        }
    }
}

/// A storage as the pickle describes it, not yet checked against the data.
struct PickleStorage {
    let type: DataType
    let key: String
    /// The number of elements of the whole storage.
    let count: Int
    /// The range of elements that a view covers, in legacy files: its first element and its length.
    let viewOffset: Int
    let viewCount: Int
}

/// The location of a tensor's values as the pickle gives it, not yet checked against the storage.
struct PickleTensor {
    /// The index of the storage in `Pickle.storages`.
    let storage: Int
    /// The place of the first value in the storage, in elements.
    let offset: Int
    let shape: [Int]
    let strides: [Int]
}
