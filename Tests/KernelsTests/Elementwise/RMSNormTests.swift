import KernelSelection
import Testing

/// RMS norms against torch in f64 (Tests/Reference/kernels.py, `beyond_bert`).
@Suite struct RMSNormTests {
    @Test(arguments: Table.all, [1, 5, 16, 31, 33, 384, 1000])
    func rootMeanSquareNorms(_ table: Table, width: Int) throws {
        let reference = try Reference("kernels_beyond_bert")
        let x = try reference.floats("rms.x.\(width)")
        let weight = Buffer(try reference.floats("rms.weight.\(width)"))
        let want = try reference.floats("rms.\(width)")
        // Contiguous, and in place within wider rows, whose rest stays as it is.
        let (input, out) = (Buffer(x), Buffer(x.count))
        func norm(_ x: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, stride: Int) -> RMSNormArguments {
            RMSNormArguments(
                x: x, out: out, weight: weight.base, rows: 3, width: width, stride: stride, epsilon: 1e-6)
        }
        table.kernels.rmsNorm(norm(input.base, out.base, stride: width))
        #expect(relativeError(out.values, want) < 1e-6)
        #expect(out.untouchedBehind)
        let stride = width + 5
        let wide = Buffer((0..<3).flatMap { Array(x[$0 * width..<($0 + 1) * width]) + [9, 8, 7, 6, 5] })
        table.kernels.rmsNorm(norm(wide.base, wide.base, stride: stride))
        let rows = wide.values
        for r in 0..<3 {
            #expect(Array(rows[r * stride..<r * stride + width]) == Array(out.values[r * width..<(r + 1) * width]))
            #expect(Array(rows[r * stride + width..<(r + 1) * stride]) == [9, 8, 7, 6, 5])
        }
    }
}
