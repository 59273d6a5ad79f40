/// Computes `out[i] = exp(x[i])`.
@export(implementation) @inline(__always)
public func expVector<I: Instructions>(
    _: I.Type, _ x: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, _ count: Int
) {
    var i = 0
    while i + I.lanes <= count {
        I.store(out + i, VectorMath<I>.exp(I.load(x + i)))
        i += I.lanes
    }
    let rest = count - i
    if rest > 0 { I.store(out + i, count: rest, VectorMath<I>.exp(I.load(x + i, count: rest, fill: 0))) }
}

/// Computes `out[i] += x[i]`.
@export(implementation) @inline(__always)
public func addVector<I: Instructions>(
    _: I.Type, _ x: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, _ count: Int
) {
    var i = 0
    while i + I.lanes <= count {
        I.store(out + i, I.add(I.load(out + i), I.load(x + i)))
        i += I.lanes
    }
    while i < count {
        out[i] += x[i]
        i += 1
    }
}
