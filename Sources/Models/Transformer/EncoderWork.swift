import Kernels

// Estimates of the work of Transformers, for the queue.

extension EncoderNetwork {
    func multiplications(length: Int, outputs: OutputSelection) -> Double {
        stack.multiplications(length: length, outputs: outputs)
            + (outputs.logits ? head?.multiplications(length: length) ?? 0 : 0)
            + (outputs.logits || outputs.sparse != nil ? maskedLMHead?.multiplications(length: length) ?? 0 : 0)
    }
}

extension EncoderStack {
    /// Estimates the work of all layers for a sequence, in multiplications.
    func multiplications(length: Int, outputs: OutputSelection) -> Double {
        let n = Double(length)
        var work = 0.0
        for layer in layers {
            for part in [layer.attention.qkv, layer.attention.output, layer.feedForward.up, layer.feedForward.down] {
                work += n * Double(part.weight.outputs) * Double(part.weight.inputs)
            }
            work += layer.attention.span.pairs(length: length) * Double(2 * attentionWidth)
        }
        guard let maps = outputs.attention else { return work }
        let rows = Double(maps.queries?.count ?? length)
        // A map's scores are computed again, and multiplied with the values to check them.
        return work + Double(maps.layers.count * maps.heads.count) * (rows * n * 2 + n) * Double(headDim)
    }
}

extension AttentionSpan {
    /// The number of pairs of a query and a key that it sees, in a sequence of so many positions.
    func pairs(length: Int) -> Double {
        Double(length) * Double(min(length, min(before, length) + min(after, length) + 1))
    }
}

extension EncoderHead {
    func multiplications(length: Int) -> Double {
        let rows = plan.rows == .all ? Double(length) : 1
        return rows * layers.reduce(0) { $0 + Double($1.layer.weight.outputs) * Double($1.layer.weight.inputs) }
    }
}

extension MaskedLMHead {
    func multiplications(length: Int) -> Double {
        Double(length) * Double(plan.width) * Double(vocabulary + hidden)
    }
}

extension SelfAttentionNetwork {
    public func multiplications(length: Int, outputs: OutputSelection) -> Double {
        let n = Double(length)
        let width = Double(attention.headDim + attention.valueDim)
        let rows = outputs.attention.map { Double($0.queries?.count ?? length) } ?? 0
        return n * Double(qkv.inputs) * Double(qkv.outputs) + n * n * width + rows * n * width
    }
}
