import Diagnostics

/// An interpreter of one pickle of `torch.save` (protocols 2 to 5; Lib/pickletools.py of CPython describes the
/// opcodes). It calls nothing and looks nothing up: a global name outside `PickleGlobal` is an error, and so is any
/// other opcode.
struct Pickle {
    struct Container {
        enum Kind { case tuple, list, dict }
        var kind: Kind
        /// The elements; of a dict, keys and values in turn.
        var items: [PickleValue] = []
    }

    private(set) var containers: [Container] = []
    private(set) var storages: [PickleStorage] = []
    private(set) var tensors: [PickleTensor] = []
    private(set) var root = PickleValue.none
    /// The number of bytes read, up to and including STOP.
    private(set) var length = 0

    static let stackLimit = 1 << 20
    static let objectLimit = 1 << 21

    private let bytes: UnsafeRawBufferPointer
    private var stack: [PickleValue] = []
    private var marks: [Int] = []
    private var memo: [Int: PickleValue] = [:]

    init(_ bytes: UnsafeRawBufferPointer) throws(Refusal) {
        self.bytes = bytes
        while try step() {}
        guard stack.count == 1, marks.isEmpty else { throw fail("ends with \(stack.count) values instead of one") }
        root = try pop()
        stack = []
        memo = [:]
    }

    func tuple(_ value: PickleValue) -> [PickleValue]? {
        guard case .container(let at) = value, containers[at].kind == .tuple else { return nil }
        return containers[at].items
    }

    func list(_ value: PickleValue) -> [PickleValue]? {
        guard case .container(let at) = value, containers[at].kind == .list else { return nil }
        return containers[at].items
    }

    private func fail(_ reason: String) -> Refusal { Refusal(reason: "pickle, at byte \(length), \(reason)") }

    // MARK: Bytes

    private mutating func take(_ count: Int) throws(Refusal) -> UnsafeRawBufferPointer {
        guard let part = bytes.slice(length, count) else { throw fail("is truncated") }
        length += count
        return part
    }

    private mutating func number<T: FixedWidthInteger>(_ type: T.Type) throws(Refusal) -> Int {
        let part = try take(MemoryLayout<T>.size)
        guard let value = part.integer(0, as: T.self).flatMap({ Int(exactly: $0) }) else {
            throw fail("has a length out of range")
        }
        return value
    }

    private mutating func line() throws(Refusal) -> String {
        guard let rest = bytes.slice(length, min(bytes.count - length, 1024)),
            let end = rest.firstIndex(of: UInt8(ascii: "\n")), let text = try take(end).utf8
        else { throw fail("has a name that is not a line of UTF-8") }
        length += 1
        return text
    }

    private mutating func text(_ count: Int) throws(Refusal) {
        guard let text = try take(count).utf8 else { throw fail("has a string that is not UTF-8") }
        try push(.string(text))
    }

    // MARK: Stack

    private mutating func push(_ value: PickleValue) throws(Refusal) {
        guard stack.count < Pickle.stackLimit else { throw fail("needs more than \(Pickle.stackLimit) values at once") }
        stack.append(value)
    }

    private mutating func pop() throws(Refusal) -> PickleValue {
        guard stack.count > (marks.last ?? 0), let value = stack.popLast() else {
            throw fail("takes a value where there is none")
        }
        return value
    }

    private mutating func pop(_ count: Int) throws(Refusal) -> [PickleValue] {
        guard stack.count - (marks.last ?? 0) >= count else { throw fail("takes a value where there is none") }
        defer { stack.removeLast(count) }
        return Array(stack.suffix(count))
    }

    private mutating func popToMark() throws(Refusal) -> [PickleValue] {
        guard let mark = marks.popLast() else { throw fail("ends a list that it has not begun") }
        defer { stack.removeLast(stack.count - mark) }
        return Array(stack[mark...])
    }

    private mutating func push(_ kind: Container.Kind, _ items: [PickleValue] = []) throws(Refusal) {
        guard containers.count < Pickle.objectLimit else {
            throw fail("has more than \(Pickle.objectLimit) containers")
        }
        guard kind != .dict || items.count % 2 == 0 else { throw fail("has a key without a value") }
        containers.append(Container(kind: kind, items: items))
        try push(.container(containers.count - 1))
    }

    private mutating func extend(_ kind: Container.Kind, _ items: [PickleValue]) throws(Refusal) {
        guard let last = stack.last, stack.count > (marks.last ?? 0), case .container(let at) = last,
            containers[at].kind == kind, kind != .dict || items.count % 2 == 0
        else { throw fail("adds items to something that is not a \(kind)") }
        containers[at].items += items
    }

    private mutating func remember(_ key: Int) throws(Refusal) {
        guard let value = stack.last, memo.count < Pickle.objectLimit else { throw fail("memorizes what is not there") }
        memo[key] = value
    }

    private mutating func recall(_ key: Int) throws(Refusal) {
        guard let value = memo[key] else { throw fail("recalls memo \(key), which is not there") }
        try push(value)
    }

    // MARK: Opcodes

    /// Executes one opcode. Returns false after STOP.
    private mutating func step() throws(Refusal) -> Bool {
        switch try number(UInt8.self) {
        case 0x80:
            let version = try number(UInt8.self)
            guard (2...5).contains(version) else { throw fail("is of protocol \(version); 2 to 5 are read") }
        case 0x95: _ = try number(UInt64.self)
        case UInt8(ascii: "."): return false
        case UInt8(ascii: "}"): try push(.dict)
        case UInt8(ascii: "]"): try push(.list)
        case UInt8(ascii: ")"): try push(.tuple)
        case UInt8(ascii: "("):
            guard marks.count < Pickle.stackLimit else { throw fail("is nested too deeply") }
            marks.append(stack.count)
        case UInt8(ascii: "t"): try push(.tuple, popToMark())
        case UInt8(ascii: "l"): try push(.list, popToMark())
        case UInt8(ascii: "d"): try push(.dict, popToMark())
        case 0x85: try push(.tuple, pop(1))
        case 0x86: try push(.tuple, pop(2))
        case 0x87: try push(.tuple, pop(3))
        case UInt8(ascii: "a"): try extend(.list, pop(1))
        case UInt8(ascii: "e"): try extend(.list, popToMark())
        case UInt8(ascii: "s"): try extend(.dict, pop(2))
        case UInt8(ascii: "u"): try extend(.dict, popToMark())
        case UInt8(ascii: "N"): try push(.none)
        case 0x88: try push(.bool(true))
        case 0x89: try push(.bool(false))
        case UInt8(ascii: "J"): try push(.integer(number(Int32.self)))
        case UInt8(ascii: "K"): try push(.integer(number(UInt8.self)))
        case UInt8(ascii: "M"): try push(.integer(number(UInt16.self)))
        case 0x8a: try pushLong(number(UInt8.self))
        case 0x8b: try pushLong(number(Int32.self))
        case UInt8(ascii: "G"):
            _ = try take(8)
            try push(.opaque)
        case UInt8(ascii: "X"): try text(number(UInt32.self))
        case 0x8c: try text(number(UInt8.self))
        case 0x8d: try text(number(UInt64.self))
        case UInt8(ascii: "U"): try text(number(UInt8.self))
        case UInt8(ascii: "T"): try text(number(Int32.self))
        case UInt8(ascii: "B"): try skipBytes(number(UInt32.self))
        case UInt8(ascii: "C"): try skipBytes(number(UInt8.self))
        case 0x8e: try skipBytes(number(UInt64.self))
        case UInt8(ascii: "q"): try remember(number(UInt8.self))
        case UInt8(ascii: "r"): try remember(number(UInt32.self))
        case 0x94: try remember(memo.count)
        case UInt8(ascii: "h"): try recall(number(UInt8.self))
        case UInt8(ascii: "j"): try recall(number(UInt32.self))
        case UInt8(ascii: "c"): try pushGlobal(line(), line())
        case 0x93:
            let names = try pop(2)
            guard case .string(let module) = names[0], case .string(let name) = names[1] else {
                throw fail("names something by what is not a string")
            }
            try pushGlobal(module, name)
        case UInt8(ascii: "R"), 0x81: try reduce()
        // BUILD gives a state dict its `_metadata`, which says nothing of weights.
        case UInt8(ascii: "b"): _ = try pop(1)
        case UInt8(ascii: "Q"): try persistent()
        case UInt8(ascii: "0"): _ = try pop()
        case UInt8(ascii: "2"):
            let value = try pop()
            try push(value)
            try push(value)
        case let opcode: throw fail("has opcode 0x\(String(opcode, radix: 16)), which no PyTorch weights need")
        }
        return true
    }

    private mutating func skipBytes(_ count: Int) throws(Refusal) {
        _ = try take(count)
        try push(.opaque)
    }

    private mutating func pushLong(_ count: Int) throws(Refusal) {
        let digits = try take(count)
        if digits.count > 8 { return try push(.longInteger(Array(digits.prefix(64)))) }
        var value: UInt64 = (digits.last ?? 0) >= 0x80 ? .max : 0
        for byte in digits.reversed() { value = value << 8 | UInt64(byte) }
        try push(.integer(Int(truncatingIfNeeded: value)))
    }

    private mutating func pushGlobal(_ module: String, _ name: String) throws(Refusal) {
        guard let global = PickleGlobal(module: module, name: name) else {
            throw fail(
                "names \(quoted(module + "." + name)), which is neither a tensor, a storage nor a plain container; "
                    + "save a state_dict of tensors only")
        }
        try push(.global(global))
    }

    private mutating func reduce() throws(Refusal) {
        let operands = try pop(2)
        guard case .global(let global) = operands[0], let arguments = tuple(operands[1]) else {
            throw fail("calls something that is not a name, or without a tuple")
        }
        switch global {
        case .rebuildTensor:
            guard arguments.count >= 4, case .storage(let storage) = arguments[0],
                case .integer(let offset) = arguments[1], let shape = integers(arguments[2]),
                let strides = integers(arguments[3])
            else { throw fail("rebuilds a tensor from something other than storage, offset, size and stride") }
            guard tensors.count < Pickle.objectLimit else { throw fail("has too many tensors") }
            tensors.append(PickleTensor(storage: storage, offset: offset, shape: shape, strides: strides))
            try push(.tensor(tensors.count - 1))
        case .rebuildParameter:
            guard let first = arguments.first, case .tensor = first else {
                throw fail("rebuilds a parameter from something other than a tensor")
            }
            try push(first)
        case .orderedDict:
            var items: [PickleValue] = []
            for pair in arguments.first.flatMap({ list($0) ?? tuple($0) }) ?? [] {
                guard let both = list(pair) ?? tuple(pair), both.count == 2 else {
                    throw fail("makes an OrderedDict of something other than pairs")
                }
                items += both
            }
            try push(.dict, items)
        case .size:
            guard let first = arguments.first, let items = tuple(first) ?? list(first) else {
                throw fail("makes a torch.Size of something other than a tuple")
            }
            try push(.tuple, items)
        case .inert: try push(.opaque)
        case .storageType: throw fail("makes a storage without data")
        }
    }

    private func integers(_ value: PickleValue) -> [Int]? {
        guard let items = tuple(value), items.count <= 64 else { return nil }
        var numbers: [Int] = []
        for item in items {
            guard case .integer(let number) = item else { return nil }
            numbers.append(number)
        }
        return numbers
    }

    /// Reads a reference to a storage: `("storage", type, key, location, count)`. Legacy files add a sixth element:
    /// None or `(key, offset, count)` of a view.
    private mutating func persistent() throws(Refusal) {
        let id = try tuple(pop()) ?? []
        guard id.count == 5 || id.count == 6, case .string("storage") = id[0],
            case .global(.storageType(let type)) = id[1], case .string(let key) = id[2],
            case .integer(let count) = id[4], count >= 0
        else { throw fail("refers to something other than a storage of a known type") }
        var view = (offset: 0, count: count)
        if id.count == 6, let parts = tuple(id[5]) {
            guard parts.count == 3, case .integer(let offset) = parts[1], case .integer(let viewCount) = parts[2],
                offset >= 0, viewCount >= 0, offset <= count, viewCount <= count - offset
            else { throw fail("has a view that is not inside its storage \(quoted(key))") }
            view = (offset, viewCount)
        }
        guard storages.count < Pickle.objectLimit else { throw fail("has too many storages") }
        storages.append(
            PickleStorage(type: type, key: key, count: count, viewOffset: view.offset, viewCount: view.count))
        try push(.storage(storages.count - 1))
    }
}

extension UInt8 {
    /// Matches an opcode, read as an Int, with its character.
    fileprivate static func ~= (pattern: UInt8, value: Int) -> Bool { Int(pattern) == value }
}
