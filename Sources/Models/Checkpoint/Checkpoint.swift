import ModelFiles

/// The parts of a model directory that a family's initializer reads.
struct Checkpoint {
    let configuration: ConfigurationFile
    let weights: WeightReader

    init(configuration: ConfigurationFile, weights: WeightReader) {
        self.configuration = configuration
        self.weights = weights
    }
}
