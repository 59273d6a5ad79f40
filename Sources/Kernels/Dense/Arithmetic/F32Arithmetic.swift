/// Products and sums in f32.
public struct F32Arithmetic<I: OutOfLineDense>: Arithmetic {
    public typealias PackedElement = Float
    public typealias PackedVector = I.Vector
    public typealias Sums = I.Vector
    @export(implementation) @inline(__always) public static var depth: Int { 1 }
    @export(implementation) @inline(__always) public static var isQuantized: Bool { false }
    @export(implementation) @inline(__always) public static var zero: Sums { I.splat(0) }
    @export(implementation) @inline(__always) public static func splat(_ p: UnsafePointer<Float>) -> PackedVector {
        I.splat(p.pointee)
    }
    @export(implementation) @inline(__always) public static func load(_ p: UnsafePointer<Float>) -> PackedVector {
        I.load(p)
    }
    @export(implementation) @inline(__always) public static func step(
        _ a: PackedVector, _ b: PackedVector, _ sums: Sums
    ) -> Sums {
        I.fma(a, b, sums)
    }
    @export(implementation) @inline(__always) public static func floats(_ sums: Sums) -> I.Vector { sums }
    @export(implementation) @inline(__always) public static func multiply(_ product: PanelProduct<Float>) {
        I.multiply(product)
    }
    @export(implementation) @inline(__always) public static func multiplyRow(_ product: PanelProduct<Float>) {
        I.multiplyRow(product)
    }
}
