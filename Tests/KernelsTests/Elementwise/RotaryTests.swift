import KernelSelection
import Testing

/// Rotary position embedding against torch in f64 (Tests/Reference/kernels.py, `beyond_bert`).
@Suite struct RotaryTests {
    @Test(arguments: Table.all, [1, 3, 8, 16, 33, 64])
    func rotations(_ table: Table, pairs: Int) throws {
        let reference = try Reference("kernels_beyond_bert")
        let cosines = Buffer(try reference.floats("rotary.cos.\(pairs)"))
        let sines = Buffer(try reference.floats("rotary.sin.\(pairs)"))
        for (name, isInterleaved) in [("halves", false), ("interleaved", true)] {
            let x = Buffer(try reference.floats("rotary.x.\(pairs)"))
            table.kernels.rotary(
                RotaryArguments(
                    x: x.base, heads: 2, headDim: 2 * pairs + 3, cosines: cosines.base, sines: sines.base,
                    pairs: pairs, isInterleaved: isInterleaved))
            #expect(relativeError(x.values, try reference.floats("rotary.\(name).\(pairs)")) < 1e-6)
            #expect(x.untouchedBehind)
        }
    }
}
