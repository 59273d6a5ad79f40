/// Products of pairs of bf16, with sums in f32.
public protocol BF16Arithmetic: PackedArithmetic where Sums == I.Vector {
    /// Rounds to bf16, ties to even, and stores a vector of them.
    static func storeBF16(_ p: UnsafeMutablePointer<UInt16>, _ v: I.Vector)
}

/// Returns the bits of the nearest bf16, ties to even. A NaN stays a NaN.
@export(implementation) @inline(__always)
public func bf16Bits(_ x: Float) -> UInt32 {
    if x != x { return 0x7fc0 }
    let bits = x.bitPattern
    return (bits &+ 0x7fff &+ ((bits >> 16) & 1)) >> 16
}

/// Packs the weight `w` [n, k], rows `ldw` floats apart, into panels of pairs of bf16, see `DenseKernels.pack`.
@export(implementation) @inline(__always)
public func packBF16Pairs<I: Instructions>(
    _: I.Type, _ w: UnsafePointer<Float>, _ ldw: Int, _ n: Int, _ k: Int, _ packed: UnsafeMutablePointer<UInt32>
) {
    let length = (k + 1) / 2
    let width = I.panelWidth
    for j in 0..<roundUp(n, to: width) {
        let target = packed + j / width * length * width + j % width
        let row = w + min(j, n - 1) * ldw
        for p in 0..<length {
            let lower = j < n ? bf16Bits(row[2 * p]) : 0
            let upper = j < n && 2 * p + 1 < k ? bf16Bits(row[2 * p + 1]) : 0
            target[p * width] = lower | upper << 16
        }
    }
}

/// Rounds a row of activations [k] to bf16. Whole vectors are stored, the last filled with zeros.
/// - Parameter store: Rounds a vector and stores it.
@export(implementation) @inline(__always)
public func convertBF16Row<I: Instructions>(
    _: I.Type, _ x: UnsafePointer<Float>, _ k: Int, _ packed: UnsafeMutablePointer<UInt32>,
    store: (UnsafeMutablePointer<UInt16>, I.Vector) -> Void
) {
    let out = UnsafeMutableRawPointer(packed).assumingMemoryBound(to: UInt16.self)
    var i = 0
    while i + I.lanes <= k {
        store(out + i, I.load(x + i))
        i += I.lanes
    }
    if i < k { store(out + i, I.load(x + i, count: k - i, fill: 0)) }
}
