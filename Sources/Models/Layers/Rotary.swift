import Concurrency
import Glibc
import Kernels

/// The rotary angles of a model, by position. They grow to the longest sequence so far and are shared by all layers and
/// workers.
final class RotaryTable: Sendable {
    let rope: RopeConfiguration
    let isInterleaved: Bool
    /// Pairs of values that turn, of a head.
    let pairs: Int
    private let made = Locked<RotaryAngles?>(nil)

    /// The least number of positions that are computed.
    private static let least = 512

    init(_ rope: RopeConfiguration, isInterleaved: Bool = false) {
        self.rope = rope
        self.isInterleaved = isInterleaved
        pairs = rope.frequencies(length: 1).count
    }

    /// Returns the rotary angles of every sequence of the batch, in batch order.
    func angles(_ batch: RaggedBatch) -> [RotaryAngles] {
        if rope.isFixed {
            let all = angles(length: batch.longest)
            return batch.lengths.map { _ in all }
        }
        return batch.lengths.map { angles(length: $0) }
    }

    /// Returns the rotary angles of a sequence of `length` tokens.
    func angles(length: Int) -> RotaryAngles {
        if !rope.isFixed, rope.frequencies(length: length) != rope.frequencies(length: 1) {
            return RotaryAngles(
                rope.frequencies(length: length), attentionFactor: rope.attentionFactor, positions: length,
                isInterleaved: isInterleaved)
        }
        return made.withLock { made in
            if let made, made.positions >= length { return made }
            var positions = max(RotaryTable.least, made?.positions ?? 0)
            while positions < length { positions *= 2 }
            let angles = RotaryAngles(
                rope.frequencies(length: 1), attentionFactor: rope.attentionFactor, positions: positions,
                isInterleaved: isInterleaved)
            made = angles
            return angles
        }
    }
}

/// The cosines and sines of positions 0 ..< positions, [positions, 2 · pairs], as torch computes them: angles in f32,
/// one multiplication, then cosine and sine.
final class RotaryAngles: @unchecked Sendable {
    let positions: Int
    let pairs: Int
    let isInterleaved: Bool
    private let values: UnsafeMutablePointer<Float>

    init(_ frequencies: [Float], attentionFactor: Float, positions: Int, isInterleaved: Bool) {
        self.positions = positions
        self.isInterleaved = isInterleaved
        pairs = frequencies.count
        values = .allocate(capacity: max(1, 2 * positions * pairs))
        for position in 0..<positions {
            let row = values + 2 * position * pairs
            for (i, frequency) in frequencies.enumerated() {
                let angle = Float(position) * frequency
                row[i] = Glibc.cosf(angle) * attentionFactor
                row[pairs + i] = Glibc.sinf(angle) * attentionFactor
            }
        }
    }

    deinit { values.deallocate() }

    /// Turns the heads of one token, in place.
    /// - Parameter x: [heads, headDim].
    func rotate(
        _ x: UnsafeMutablePointer<Float>, position: Int, heads: Int, headDim: Int, _ kernels: KernelTable
    ) {
        let row = values + 2 * position * pairs
        kernels.rotary(
            RotaryArguments(
                x: x, heads: heads, headDim: headDim, cosines: row, sines: row + pairs, pairs: pairs,
                isInterleaved: isInterleaved))
    }
}
