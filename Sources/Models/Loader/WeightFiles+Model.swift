import ModelFiles

extension WeightFiles {
    /// A loaded model's weights, to look at.
    public static func open(_ model: Model) throws(ModelError) -> any WeightFile {
        let sentence = try SentenceTransformersConfiguration(directory: model.directory)
        let files = sentence.folder.isEmpty ? model.directory : model.directory + "/" + sentence.folder
        return try open(
            directory: files, configured: try Configuration.read("config.json", in: files)?.string("weights"))
    }
}
