import ModelFiles

/// The parts of a model directory that a family's initializer reads.
public struct Checkpoint {
    public let configuration: ConfigurationFile
    public let weights: WeightReader

    public init(configuration: ConfigurationFile, weights: WeightReader) {
        self.configuration = configuration
        self.weights = weights
    }
}
