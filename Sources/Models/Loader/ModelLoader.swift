import Diagnostics
import Glibc
import Kernels
import ModelFiles
import Tokenizers

extension Model {
    /// Reads a model directory (see ARCHITECTURE.md).
    ///
    /// Weights are mapped; those that a kernel wants in panels are packed once, and the pages they came from are given
    /// back. The others are used where they lie, so the files must stay as they are while the model lives.
    /// - Parameter precision: of the dense layers; nil takes what the directory was quantized to (`encoderd_precision` in
    ///   config.json), else f32.
    /// - Throws: the first thing that is wrong, by file and key or tensor.
    public static func load(
        directory: String, name: String, kernels: KernelTable, precision: Precision? = nil
    ) throws(ModelError) -> Model {
        try read(directory: directory, name: name, kernels: kernels, precision: precision).model
    }

    /// As `load`, with what the weights were read through.
    static func read(
        directory: String, name: String, kernels: KernelTable, precision: Precision?
    ) throws(ModelError) -> (model: Model, weights: WeightReader) {
        var status = stat()
        guard stat(directory, &status) == 0 else {
            throw ModelError(file: directory, "cannot be opened: \(String(cString: strerror(errno)))")
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw ModelError(
                file: directory, "is not a directory; a model is a directory with config.json and weights in it")
        }
        let sentence = try SentenceTransformersConfiguration(directory: directory)
        let files = sentence.folder.isEmpty ? directory : directory + "/" + sentence.folder
        guard let own = try Configuration.read("config.json", in: files) else {
            throw ModelError(file: directory, "holds no config.json, which says what kind of model it is")
        }
        let configuration = own.overridden(by: sentence.configuration)
        try configuration.checkQuantization()
        let reader = WeightReader(
            file: try WeightFiles.open(directory: files, configured: try configuration.string("weights")),
            names: try configuration.strings("tensors"), kernels: kernels,
            precision: try Self.precision(configuration, wanted: precision))
        let network = try ModelRegistry.make(
            Checkpoint(directory: files, configuration: configuration, weights: reader), sentence)

        guard case .tokens = network.description.input else {
            var model = Model(name: name, directory: directory, network: network, tokenizer: nil)
            model.unusedTensors = reader.unused
            return (model, reader)
        }
        // It may have tokens that the network does not: published ones do, and a request that uses one is told so.
        let tokenizer = try TokenizerLoader.load(directory: files)
        var model = Model(name: name, directory: directory, network: network, tokenizer: tokenizer)
        model.lowercases = sentence.lowercases
        model.takesTokenTypes = try TokenTypes.areGiven(directory: files, configuration)
        model.unusedTensors = reader.unused
        return (model, reader)
    }

    /// What was asked for, unless the directory's weights are quantized to something else.
    private static func precision(
        _ configuration: Configuration, wanted: Precision?
    ) throws(ModelError) -> Precision {
        guard let written = try configuration.string("encoderd_precision") else { return wanted ?? .f32 }
        guard let own = Precision(rawValue: written), own != .f32 else {
            throw ModelError(
                file: configuration.file, "'encoderd_precision' is \(quoted(written)); it should be 'bf16' or 'int8'")
        }
        return wanted ?? own
    }
}
