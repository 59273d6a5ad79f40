import Glibc

/// The position encodings of a `transformer_encoder` (`positional_encoding`).
enum PositionEncoding: String, CaseIterable {
    case sinusoidal, learned, none
}

/// The sinusoidal position encoding of Vaswani et al. 2017 (https://arxiv.org/abs/1706.03762, section 3.5): column 2i
/// of position p is sin(p / 10000^(2i/d)), column 2i + 1 its cosine. An odd width ends with a sine.
///
/// It is computed in f32 as PyTorch's tutorial does
/// (https://docs.pytorch.org/tutorials/beginner/transformer_tutorial.html,
/// `exp(arange(0, d, 2) · (−ln 10000 / d))`). A phase of thousands of radians is not exact in f32, and the models were
/// trained with those values.
struct SinusoidalPositions: Sendable {
    private let frequencies: [Float]
    let width: Int

    init(width: Int) {
        self.width = width
        let step = Float(-Glibc.log(10000.0) / Double(width))
        frequencies = stride(from: 0, to: width, by: 2).map { Glibc.expf(Float($0) * step) }
    }

    /// Writes the encoding of a position to `row`, [width].
    func write(_ position: Int, to row: UnsafeMutablePointer<Float>) {
        let p = Float(position)
        for (i, frequency) in frequencies.enumerated() {
            let angle = p * frequency
            row[2 * i] = Glibc.sinf(angle)
            if 2 * i + 1 < width { row[2 * i + 1] = Glibc.cosf(angle) }
        }
    }
}
