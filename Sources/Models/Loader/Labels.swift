import JSON

/// `id2label` of config.json: names of a classifier's values.
enum Labels {
    /// An array of names, or an object of names by id, one for each value; nil where the key is absent.
    static func read(_ c: Configuration, count: Int) throws(ModelError) -> [String]? {
        guard let value = c.object["id2label"], value != .null else { return nil }
        let names: [String?] =
            switch value {
            case .array(let array): array.map(\.string)
            case .object(let object) where object.count == count: (0..<count).map { object[String($0)]?.string }
            default: []
            }
        let labels = names.compactMap { $0 }
        guard names.count == count, labels.count == count else {
            throw ModelError(
                file: c.file,
                "'id2label' must name ids 0 … \(count - 1), one for each value of the output, with strings")
        }
        return labels
    }
}
