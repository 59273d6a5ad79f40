/// Products of pairs of bf16 by f32 multiply-adds.
///
/// Products of bf16 are exact in f32, so only the order and rounding of the sums differ from those of the instruction,
/// which also takes subnormal numbers for 0.
public protocol BF16Emulated: BF16Arithmetic where PackedVector == BF16Vectors<I> {}

/// A vector of pairs of bf16, split into two vectors of f32.
public struct BF16Vectors<I: Instructions> {
    @usableFromInline let lower: I.Vector
    @usableFromInline let upper: I.Vector

    @export(implementation) @inline(__always)
    init(_ packed: I.Integers) {
        lower = I.lowerBF16(packed)
        upper = I.upperBF16(packed)
    }
}

extension BF16Emulated {
    @export(implementation) @inline(__always) public static var depth: Int { 2 }
    @export(implementation) @inline(__always) public static var isQuantized: Bool { false }
    @export(implementation) @inline(__always) public static var zero: Sums { I.splat(0) }
    @export(implementation) @inline(__always) public static func splat(_ p: UnsafePointer<UInt32>) -> PackedVector {
        BF16Vectors(I.splatInteger(p))
    }
    @export(implementation) @inline(__always) public static func load(_ p: UnsafePointer<UInt32>) -> PackedVector {
        BF16Vectors(I.loadIntegers(p))
    }
    @export(implementation) @inline(__always) public static func step(
        _ a: PackedVector, _ b: PackedVector, _ sums: Sums
    ) -> Sums {
        I.fma(a.upper, b.upper, I.fma(a.lower, b.lower, sums))
    }
    @export(implementation) @inline(__always) public static func floats(_ sums: Sums) -> I.Vector { sums }
    @export(implementation) @inline(__always) public static func convertRow(
        _ x: UnsafePointer<Float>, _ k: Int, _ packed: UnsafeMutablePointer<UInt32>,
        _ scales: UnsafeMutablePointer<Float>
    ) {
        convertBF16Row(I.self, x, k, packed) { I.storeBF16($0, $1) }
    }
    @export(implementation) @inline(__always) public static func storeBF16(
        _ p: UnsafeMutablePointer<UInt16>, _ v: I.Vector
    ) {
        I.storeBF16(p, v)
    }
    @export(implementation) @inline(__always) public static func pack(
        _ w: UnsafePointer<Float>, _ ldw: Int, _ n: Int, _ k: Int, _ packed: UnsafeMutablePointer<UInt32>
    ) {
        packBF16Pairs(I.self, w, ldw, n, k, packed)
    }
}
