import JSON

/// config.json, read with messages that name the key, what it holds and what it should hold.
public struct Configuration: Sendable {
    public let file: String
    public let object: JSONObject

    public init(file: String, object: JSONObject) {
        self.file = file
        self.object = object
    }

    /// A required whole number within `range`, under the first of `keys` that is present.
    public func int(_ keys: String..., in range: ClosedRange<Int>) throws(ModelError) -> Int {
        throw ModelError(file: file, "not implemented")
    }

    /// As `int`, with a default where the key is absent or null.
    public func int(_ keys: String..., in range: ClosedRange<Int>, default value: Int) throws(ModelError) -> Int {
        throw ModelError(file: file, "not implemented")
    }

    public func double(
        _ keys: String..., in range: ClosedRange<Double>, default value: Double
    ) throws(ModelError) -> Double {
        throw ModelError(file: file, "not implemented")
    }

    public func bool(_ key: String, default value: Bool) throws(ModelError) -> Bool {
        throw ModelError(file: file, "not implemented")
    }

    /// One of a `CaseIterable` enumeration's raw values; an unknown one is refused, naming those there are.
    public func choice<C: RawRepresentable & CaseIterable>(_ key: String, default value: C) throws(ModelError) -> C
    where C.RawValue == String {
        throw ModelError(file: file, "not implemented")
    }
}

/// What a family's initialiser is given.
public struct ModelSource {
    public let directory: String
    public let configuration: Configuration
    public let weights: WeightReader

    public init(directory: String, configuration: Configuration, weights: WeightReader) {
        self.directory = directory
        self.configuration = configuration
        self.weights = weights
    }
}
