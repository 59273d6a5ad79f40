import ModelFiles

/// The files of one network, as a family's initializer gets them.
public struct Checkpoint {
    /// The directory that holds config.json and the weights.
    public let directory: String
    /// config.json.
    public let configuration: Configuration
    public let weights: WeightReader

    public init(directory: String, configuration: Configuration, weights: WeightReader) {
        self.directory = directory
        self.configuration = configuration
        self.weights = weights
    }
}
