/// Products of 8-bit integers, with sums in i32.
///
/// Activations are x ≈ s q + z with q from 0 to 255 and a scale and a zero for each row. Weights are w ≈ c u with u
/// from −127 to 127 and a scale for each column.
public protocol Int8Arithmetic: PackedArithmetic where PackedVector == I.Integers, Sums == I.Integers {}

extension Int8Arithmetic {
    @export(implementation) @inline(__always) public static var isQuantized: Bool { true }
    @export(implementation) @inline(__always) public static var zero: Sums { I.zeroIntegers }
    @export(implementation) @inline(__always) public static func splat(_ p: UnsafePointer<UInt32>) -> PackedVector {
        I.splatInteger(p)
    }
    @export(implementation) @inline(__always) public static func load(_ p: UnsafePointer<UInt32>) -> PackedVector {
        I.loadIntegers(p)
    }
    @export(implementation) @inline(__always) public static func floats(_ sums: Sums) -> I.Vector { I.floats(sums) }
    @export(implementation) @inline(__always) public static func pack(
        _ w: UnsafePointer<Float>, _ ldw: Int, _ n: Int, _ k: Int, _ packed: UnsafeMutablePointer<UInt32>
    ) {
        packQuantizing(Self.self, w, ldw, n, k, packed)
    }
}
