import Diagnostics
import Kernels
import ModelFiles
import Tokenizers

extension Model {
    /// Reads a model directory (see ARCHITECTURE.md).
    ///
    /// Weights are mapped. Those of dense layers are packed once, and their mapped pages are given back. The others are
    /// used where they lie, so the files must not change while the model lives.
    /// - Parameter precision: The precision of the dense layers. `nil` takes that of a quantized directory
    ///   (`encoderd_precision` in config.json), else f32.
    /// - Throws: The first error, with its file and key or tensor.
    public static func load(
        directory: String, name: String, kernels: KernelTable, precision: Precision? = nil
    ) throws(FileError) -> Model {
        try load(ModelDirectory(directory), name: name, kernels: kernels, precision: precision)
    }

    /// Reads a model directory, some of whose files may have been read.
    public static func load(
        _ directory: ModelDirectory, name: String, kernels: KernelTable, precision: Precision? = nil
    ) throws(FileError) -> Model {
        try read(directory, name: name, kernels: kernels, precision: precision).model
    }

    /// Loads a model, and returns the reader of its weights with it.
    static func read(
        _ directory: ModelDirectory, name: String, kernels: KernelTable, precision: Precision?
    ) throws(FileError) -> (model: Model, weights: WeightReader) {
        try directory.checkIsDirectory()
        let sentence = try directory.sentence()
        let configuration = try directory.configuration()
        try configuration.checkQuantization()
        let reader = WeightReader(
            file: try directory.openWeights(), names: try configuration.strings("tensors"), kernels: kernels,
            precision: try Self.precision(configuration, wanted: precision))
        let network = try ModelRegistry.make(Checkpoint(configuration: configuration, weights: reader), sentence)
        var processor: TextProcessor?
        if network.description.architecture.input.vocabularySize != nil {
            // The tokenizers of some published models have tokens that the network lacks; a request that uses one is refused.
            let tokenizer = try TokenizerLoader.load(directory: directory.networkPath())
            let passesTypes = try TokenTypes.areGiven(directory.tokenizerConfiguration(), configuration)
            processor = tokenizer.map {
                TextProcessor($0, lowercases: sentence.lowercases, passesTokenTypes: passesTypes)
            }
        }
        var model = Model(name: name, directory: directory.path, network: network, processor: processor)
        model.unusedTensors = reader.unused
        return (model, reader)
    }

    /// Returns the precision of the dense layers: the one asked for, else that of a quantized directory, else f32.
    private static func precision(
        _ configuration: ConfigurationFile, wanted: Precision?
    ) throws(FileError) -> Precision {
        guard let written = try configuration.string("encoderd_precision") else { return wanted ?? .f32 }
        guard let own = Precision(rawValue: written), own != .f32 else {
            throw FileError(
                file: configuration.file, "'encoderd_precision' is \(quoted(written)); it should be 'bf16' or 'int8'")
        }
        return wanted ?? own
    }
}
