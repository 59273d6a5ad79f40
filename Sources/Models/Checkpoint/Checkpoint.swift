import ModelFiles

/// The parts of a model directory that a family's initializer reads.
public struct Checkpoint {
    /// The directory of config.json and the weights.
    public let directory: String
    public let configuration: ConfigurationFile
    public let weights: WeightReader

    public init(directory: String, configuration: ConfigurationFile, weights: WeightReader) {
        self.directory = directory
        self.configuration = configuration
        self.weights = weights
    }
}
