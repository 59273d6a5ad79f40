/// How the numbers of a product are held and summed: words of 32 bits, each with `depth` neighboring values of k, so that
/// one instruction multiplies a row's word with a vector of columns' words.
///
/// | arithmetic | word | sums |
/// |---|---|---|
/// | `F32Arithmetic` | one f32 | f32 |
/// | `BF16Emulated` | two bf16 | f32 (AVX512_BF16, or the same products by f32 multiply-adds) |
/// | `Int8Widened` | two 16-bit integers that hold an activation of 8 bits unsigned, a weight of 8 bits signed | i32 |
/// | `Int8VNNI` | four bytes: activations unsigned, weights signed (VNNI) | i32 |
///
/// Sums of integers are exact, so int8 is the same on every machine up to the rounding of the epilogue.
public protocol Arithmetic: SendableMetatype {
    associatedtype I: Instructions
    associatedtype Word: BitwiseCopyable
    associatedtype Words
    associatedtype Sums

    /// Values of k in a word.
    static var depth: Int { get }
    /// Whether sums are integers, with scales for rows and columns.
    static var isQuantized: Bool { get }
    static var zero: Sums { get }
    static func splat(_ p: UnsafePointer<Word>) -> Words
    static func load(_ p: UnsafePointer<Word>) -> Words
    /// `sums + a · b` over the values of each word.
    static func step(_ a: Words, _ b: Words, _ sums: Sums) -> Sums
    static func floats(_ sums: Sums) -> I.Vector
    /// `multiplyPanel`, out of line.
    static func multiply(_ product: PanelProduct<Word>)
    /// `multiplyOneRow`, out of line.
    static func multiplyRow(_ product: PanelProduct<Word>)
}

public struct F32Arithmetic<I: Instructions>: Arithmetic {
    public typealias Word = Float
    public typealias Words = I.Vector
    public typealias Sums = I.Vector
    @inlinable @inline(__always) public static var depth: Int { 1 }
    @inlinable @inline(__always) public static var isQuantized: Bool { false }
    @inlinable @inline(__always) public static var zero: Sums { I.splat(0) }
    @inlinable @inline(__always) public static func splat(_ p: UnsafePointer<Float>) -> Words { I.splat(p.pointee) }
    @inlinable @inline(__always) public static func load(_ p: UnsafePointer<Float>) -> Words { I.load(p) }
    @inlinable @inline(__always) public static func step(_ a: Words, _ b: Words, _ sums: Sums) -> Sums {
        I.fma(a, b, sums)
    }
    @inlinable @inline(__always) public static func floats(_ sums: Sums) -> I.Vector { sums }
    @inlinable @inline(__always) public static func multiply(_ product: PanelProduct<Float>) { I.multiply(product) }
    @inlinable @inline(__always) public static func multiplyRow(_ product: PanelProduct<Float>) {
        I.multiplyRow(product)
    }
}

/// Arithmetic on pairs of bf16.
public protocol BF16Arithmetic: WordArithmetic where Sums == I.Vector {
    /// Rounds to bf16, ties to even.
    static func storeBrain(_ p: UnsafeMutablePointer<UInt16>, _ v: I.Vector)
}

/// Pairs of bf16 by f32 multiply-adds: products of bf16 are exact in f32, so only the order and rounding of the sums
/// differ from those of the instruction, which also takes subnormal numbers for 0.
public protocol BF16Emulated: BF16Arithmetic where Words == BF16Vectors<I> {}

/// A vector of pairs of bf16, taken apart.
public struct BF16Vectors<I: Instructions> {
    @usableFromInline let lower: I.Vector
    @usableFromInline let upper: I.Vector

    @inlinable @inline(__always)
    init(_ words: I.Integers) {
        lower = I.lowerBrain(words)
        upper = I.upperBrain(words)
    }
}

extension BF16Emulated {
    @inlinable @inline(__always) public static var depth: Int { 2 }
    @inlinable @inline(__always) public static var isQuantized: Bool { false }
    @inlinable @inline(__always) public static var zero: Sums { I.splat(0) }
    @inlinable @inline(__always) public static func splat(_ p: UnsafePointer<UInt32>) -> Words {
        BF16Vectors(I.splatWord(p))
    }
    @inlinable @inline(__always) public static func load(_ p: UnsafePointer<UInt32>) -> Words {
        BF16Vectors(I.loadWords(p))
    }
    @inlinable @inline(__always) public static func step(_ a: Words, _ b: Words, _ sums: Sums) -> Sums {
        I.fma(a.upper, b.upper, I.fma(a.lower, b.lower, sums))
    }
    @inlinable @inline(__always) public static func floats(_ sums: Sums) -> I.Vector { sums }
    @inlinable @inline(__always) public static func convertRow(
        _ x: UnsafePointer<Float>, _ k: Int, _ words: UnsafeMutablePointer<UInt32>,
        _ scales: UnsafeMutablePointer<Float>
    ) {
        convertBrainRow(I.self, x, k, words) { I.storeBrain($0, $1) }
    }
    @inlinable @inline(__always) public static func storeBrain(_ p: UnsafeMutablePointer<UInt16>, _ v: I.Vector) {
        I.storeBrain(p, v)
    }
    @inlinable @inline(__always) public static func pack(
        _ w: UnsafePointer<Float>, _ ldw: Int, _ n: Int, _ k: Int, _ packed: UnsafeMutablePointer<UInt32>
    ) {
        packBrainPairs(I.self, w, ldw, n, k, packed)
    }
}

/// Arithmetic on words of integers.
public protocol Int8Arithmetic: WordArithmetic where Words == I.Integers, Sums == I.Integers {}

extension Int8Arithmetic {
    @inlinable @inline(__always) public static var isQuantized: Bool { true }
    @inlinable @inline(__always) public static var zero: Sums { I.zeroWords }
    @inlinable @inline(__always) public static func splat(_ p: UnsafePointer<UInt32>) -> Words { I.splatWord(p) }
    @inlinable @inline(__always) public static func load(_ p: UnsafePointer<UInt32>) -> Words { I.loadWords(p) }
    @inlinable @inline(__always) public static func floats(_ sums: Sums) -> I.Vector { I.floats(sums) }
    @inlinable @inline(__always) public static func pack(
        _ w: UnsafePointer<Float>, _ ldw: Int, _ n: Int, _ k: Int, _ packed: UnsafeMutablePointer<UInt32>
    ) {
        packQuantizing(Self.self, w, ldw, n, k, packed)
    }
}

/// Pairs of 16-bit integers, which every machine multiplies and adds in one instruction without saturating.
public protocol Int8Widened: Int8Arithmetic {}

extension Int8Widened {
    @inlinable @inline(__always) public static var depth: Int { 2 }
    @inlinable @inline(__always) public static func step(_ a: Words, _ b: Words, _ sums: Sums) -> Sums {
        I.addPairs(sums, a, b)
    }
    @inlinable @inline(__always) public static func convertRow(
        _ x: UnsafePointer<Float>, _ k: Int, _ words: UnsafeMutablePointer<UInt32>,
        _ scales: UnsafeMutablePointer<Float>
    ) {
        let out = UnsafeMutableRawPointer(words).assumingMemoryBound(to: UInt16.self)
        quantizeRow(I.self, x, k, scales) { I.storeShorts(out + $0, $1) }
    }
}

/// Quads of bytes: the table's type adds `step` by its instruction.
public protocol Int8VNNI: Int8Arithmetic {}

extension Int8VNNI {
    @inlinable @inline(__always) public static var depth: Int { 4 }
    @inlinable @inline(__always) public static func convertRow(
        _ x: UnsafePointer<Float>, _ k: Int, _ words: UnsafeMutablePointer<UInt32>,
        _ scales: UnsafeMutablePointer<Float>
    ) {
        let out = UnsafeMutableRawPointer(words).assumingMemoryBound(to: UInt8.self)
        quantizeRow(I.self, x, k, scales) { I.storeBytes(out + $0, $1) }
    }
}

/// Pairs of bf16 by an instruction for them: the table's type adds `step` and `storeBrain`.
public protocol BF16Native: BF16Arithmetic where Words == I.Integers {}

extension BF16Native {
    @inlinable @inline(__always) public static var depth: Int { 2 }
    @inlinable @inline(__always) public static var isQuantized: Bool { false }
    @inlinable @inline(__always) public static var zero: Sums { I.splat(0) }
    @inlinable @inline(__always) public static func splat(_ p: UnsafePointer<UInt32>) -> Words { I.splatWord(p) }
    @inlinable @inline(__always) public static func load(_ p: UnsafePointer<UInt32>) -> Words { I.loadWords(p) }
    @inlinable @inline(__always) public static func floats(_ sums: Sums) -> I.Vector { sums }
    @inlinable @inline(__always) public static func convertRow(
        _ x: UnsafePointer<Float>, _ k: Int, _ words: UnsafeMutablePointer<UInt32>,
        _ scales: UnsafeMutablePointer<Float>
    ) {
        convertBrainRow(I.self, x, k, words) { storeBrain($0, $1) }
    }
    @inlinable @inline(__always) public static func pack(
        _ w: UnsafePointer<Float>, _ ldw: Int, _ n: Int, _ k: Int, _ packed: UnsafeMutablePointer<UInt32>
    ) {
        packBrainPairs(I.self, w, ldw, n, k, packed)
    }
}
