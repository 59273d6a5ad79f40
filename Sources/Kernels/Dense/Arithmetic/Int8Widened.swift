/// Products of pairs of 16-bit integers, which every machine multiplies and adds in one instruction without saturation.
public protocol Int8Widened: Int8Arithmetic {}

extension Int8Widened {
    @export(implementation) @inline(__always) public static var depth: Int { 2 }
    @export(implementation) @inline(__always) public static func step(
        _ a: PackedVector, _ b: PackedVector, _ sums: Sums
    ) -> Sums {
        I.addPairs(sums, a, b)
    }
    @export(implementation) @inline(__always) public static func convertRow(
        _ x: UnsafePointer<Float>, _ k: Int, _ packed: UnsafeMutablePointer<UInt32>,
        _ scales: UnsafeMutablePointer<Float>
    ) {
        let out = UnsafeMutableRawPointer(packed).assumingMemoryBound(to: UInt16.self)
        quantizeRow(I.self, x, k, scales) { I.storeShorts(out + $0, $1) }
    }
}
