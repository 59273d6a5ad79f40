/// `KernelTable.rotate`.
@inlinable @inline(__always)
public func rotateHeads<I: Instructions>(_: I.Type, _ r: RotaryArguments) {
    for head in 0..<r.heads {
        let x = r.x + head * r.headDim
        if r.isInterleaved {
            for i in 0..<r.pairs {
                let (a, b, c, s) = (x[2 * i], x[2 * i + 1], r.cosines[i], r.sines[i])
                x[2 * i] = a * c - b * s
                x[2 * i + 1] = b * c + a * s
            }
            continue
        }
        var i = 0
        while i + I.lanes <= r.pairs {
            let a = I.load(x + i)
            let b = I.load(x + i + r.pairs)
            let c = I.load(r.cosines + i)
            let s = I.load(r.sines + i)
            I.store(x + i, I.sub(I.mul(a, c), I.mul(b, s)))
            I.store(x + i + r.pairs, I.fma(a, s, I.mul(b, c)))
            i += I.lanes
        }
        while i < r.pairs {
            let (a, b, c, s) = (x[i], x[i + r.pairs], r.cosines[i], r.sines[i])
            x[i] = a * c - b * s
            x[i + r.pairs] = b * c + a * s
            i += 1
        }
    }
}
