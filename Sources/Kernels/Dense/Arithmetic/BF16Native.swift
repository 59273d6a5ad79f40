/// Products of pairs of bf16 by an instruction for them. The conforming type adds `step` and `storeBF16`.
public protocol BF16Native: BF16Arithmetic where PackedVector == I.Integers {}

extension BF16Native {
    @export(implementation) @inline(__always) public static var depth: Int { 2 }
    @export(implementation) @inline(__always) public static var isQuantized: Bool { false }
    @export(implementation) @inline(__always) public static var zero: Sums { I.splat(0) }
    @export(implementation) @inline(__always) public static func splat(_ p: UnsafePointer<UInt32>) -> PackedVector {
        I.splatInteger(p)
    }
    @export(implementation) @inline(__always) public static func load(_ p: UnsafePointer<UInt32>) -> PackedVector {
        I.loadIntegers(p)
    }
    @export(implementation) @inline(__always) public static func floats(_ sums: Sums) -> I.Vector { sums }
    @export(implementation) @inline(__always) public static func convertRow(
        _ x: UnsafePointer<Float>, _ k: Int, _ packed: UnsafeMutablePointer<UInt32>,
        _ scales: UnsafeMutablePointer<Float>
    ) {
        convertBF16Row(I.self, x, k, packed) { storeBF16($0, $1) }
    }
    @export(implementation) @inline(__always) public static func pack(
        _ w: UnsafePointer<Float>, _ ldw: Int, _ n: Int, _ k: Int, _ packed: UnsafeMutablePointer<UInt32>
    ) {
        packBF16Pairs(I.self, w, ldw, n, k, packed)
    }
}
