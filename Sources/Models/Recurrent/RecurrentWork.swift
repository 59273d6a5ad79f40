// Estimates of the work of recurrent networks, for the queue.

extension RecurrentNetwork {
    public func multiplications(length: Int, outputs: OutputSelection) -> Double {
        let c = configuration
        let n = Double(length)
        var work = 0.0
        for layer in 0..<c.layers {
            let inputs = Double(layer == 0 ? c.inputSize : c.layerSize)
            work += n * Double(c.directions) * c.stepMultiplications(inputs: inputs)
        }
        if let output = c.outputSize { work += n * Double(c.layerSize) * Double(output) }
        guard let maps = outputs.attention else { return work }
        switch maps.method {
        case .jacobian: return work + RecurrentJacobian.multiplications(c, length: length)
        case .writeContribution, .raw:
            let rows = Double(maps.queries?.count ?? length)
            return work + Double(maps.layers.count * maps.heads.count) * rows * n * Double(c.hiddenSize) * 4
        }
    }
}

extension RecurrentConfiguration {
    /// Multiplications of one step of one direction of a layer that reads `inputs` values.
    func stepMultiplications(inputs: Double) -> Double {
        Double(gateSize) * (inputs + Double(stateSize))
            + (projectionSize == nil ? 0 : Double(stateSize) * Double(hiddenSize))
    }
}

extension RecurrentJacobian {
    /// Estimates the work of a map of `length` steps, in multiplications: every component of every input has a tangent, which
    /// every later step carries on.
    static func multiplications(_ c: RecurrentConfiguration, length: Int) -> Double {
        var perTangent = 0.0
        for layer in 0..<c.layers {
            let step = c.stepMultiplications(inputs: layer > 0 ? Double(c.layerSize) : 0)
            // On average half of the positions have tangents, since positions that are read later have none yet.
            perTangent += Double(c.directions) * step * (layer == 0 || c.directions == 1 ? 0.5 : 1)
        }
        return Double(length) * Double(length) * Double(c.inputSize) * perTangent
    }
}
