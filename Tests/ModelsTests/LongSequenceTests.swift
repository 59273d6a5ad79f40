import Testing

@testable import Models

/// Memory for one long sequence grows with its length, not with its square.
@Suite struct LongSequenceTests {
    @Test(arguments: Table.all, ["self-scaled_dot_product", "self-cosine-wide"])
    func scratchIsLinear(_ table: Table, _ name: String) throws {
        let model = try Model.load(
            directory: TransformerTests.folder + "/" + name, name: name, kernels: table.kernels)
        guard case .features(let size) = model.description.architecture.input else {
            Issue.record("\(name) does not read features")
            return
        }
        func bytes(_ length: Int) throws -> Int {
            var phase: Float = 0
            let values = (0..<length * size).map { _ in
                phase += 0.618034
                if phase > 1 { phase -= 2 }
                return phase
            }
            var outputs = OutputSelection()
            outputs.pooling = [.mean]
            outputs.embeddingLayer = 1
            let scratch = Scratch()
            let results = model.network.forward(
                [SequenceRequest(input: .features(values, steps: length), outputs: outputs)], scratch: scratch)
            #expect(try #require(results.first?.embedding).allSatisfy { $0.isFinite })
            return scratch.capacity
        }
        let lengths = [1024, 2048, 4096, 8192]
        let sizes = try lengths.map(bytes)
        for i in 1..<lengths.count {
            #expect(
                sizes[i] <= 2 * sizes[i - 1], "\(lengths[i]) steps take \(sizes[i]) bytes, half as many \(sizes[i - 1])"
            )
        }
    }
}
