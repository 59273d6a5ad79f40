/// The arguments of rotary position embedding (Su et al. 2021, https://arxiv.org/abs/2104.09864) of one token's heads,
/// in place: each pair (a, b) of a head becomes (a cos − b sin, b cos + a sin).
public struct RotaryArguments {
    /// The token's heads [heads, headDim], contiguous.
    public var x: UnsafeMutablePointer<Float>
    public var heads: Int
    public var headDim: Int
    /// The cosines [pairs] of the angles at this token's position.
    public var cosines: UnsafePointer<Float>
    /// The sines [pairs] of the same angles.
    public var sines: UnsafePointer<Float>
    /// The number of pairs that turn: the first 2 · pairs values of a head. The others stay.
    public var pairs: Int
    /// Whether pair i is the values 2i and 2i + 1. Otherwise it is the values i and i + pairs.
    public var isInterleaved: Bool

    public init(
        x: UnsafeMutablePointer<Float>, heads: Int, headDim: Int, cosines: UnsafePointer<Float>,
        sines: UnsafePointer<Float>, pairs: Int, isInterleaved: Bool
    ) {
        self.x = x
        self.heads = heads
        self.headDim = headDim
        self.cosines = cosines
        self.sines = sines
        self.pairs = pairs
        self.isInterleaved = isInterleaved
    }
}

/// Runs `KernelTable.rotary`.
@export(implementation) @inline(__always)
public func rotaryHeads<I: Instructions>(_: I.Type, _ r: RotaryArguments) {
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
