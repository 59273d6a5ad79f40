import Diagnostics
import Models

/// An `AttentionCall` fitted to a model and a sequence: every index is in range, and the response has an allowed size.
struct AttentionPlan: Sendable {
    let options: AttentionCall.Options
    let selection: AttentionSelection
    /// Whether rows were chosen, so that the response names them.
    let namesQueries: Bool

    var format: AttentionFormat { options.format }

    /// - Parameters:
    ///   - length: The number of tokens or steps of the sequence, at least 1.
    ///   - special: Whether the token at each position is a special one.
    ///   - field: The request's name for the input.
    init(
        _ options: AttentionCall.Options, model: ModelDescription, length: Int, special: [Bool], field: String,
        limits: AttentionLimits
    ) throws(APIError) {
        self.options = options
        let format = options.format
        if options.dtype == .f16, format != .npy, format != .safetensors {
            throw .value(
                "dtype", "'dtype' f16 is for the binary formats npy and safetensors; \(format) is written from f32.")
        }
        if format == .npy, options.select != nil {
            throw .value("select", "A selection is several arrays, and npy holds one: ask for json or safetensors.")
        }
        let method = try AttentionPlan.method(options.method, model)
        if let most = model.attribution.maxLengths[method], length > most {
            throw APIError(
                413, "sequence_too_long", param: field,
                "'\(field)' has \(length) tokens or steps, and this model's \(method.rawValue) takes at most \(most), for its work "
                    + "grows with their square: send a shorter piece.")
        }
        var layers: [Int] = []
        var heads: [Int] = []
        if let axis = method.axis {
            let architecture = model.architecture
            layers = try AttentionPlan.indices(options.layers, of: "layers", count: architecture.layers, what: "layers")
            heads = try AttentionPlan.indices(
                options.heads, of: "heads", count: architecture.count(axis), what: axis.plural)
        } else {
            for (name, choice) in [("layers", options.layers), ("heads", options.heads)] where choice != .all {
                throw APIError(
                    422, "method_has_no_axis", param: name,
                    "The method \(method.rawValue) makes one map of the whole network; leave '\(name)' out.")
            }
        }
        if options.headReduce != .none, !method.hasHeads {
            throw APIError(
                422, "method_has_no_axis", param: "head_reduce",
                "The method \(method.rawValue) has no heads to reduce; leave 'head_reduce' out.")
        }
        var queries: [Int]?
        if options.queries != .all {
            queries = try AttentionPlan.indices(options.queries, of: "queries", count: length, what: "tokens or steps")
        }
        namesQueries = queries != nil
        selection = AttentionSelection(method: method, layers: layers, heads: heads, queries: queries)
        try checkSize(length: length, special: special, limits: limits)
    }

    private static func method(_ name: String?, _ model: ModelDescription) throws(APIError) -> AttentionMethod {
        let honored = model.attribution.methods
        let named = honored.map(\.rawValue).joined(separator: ", ")
        guard let first = honored.first else {
            throw APIError(
                422, "method_not_supported", param: "method",
                "This model (\(model.architecture.family)) has no maps to show.")
        }
        guard let name else { return first }
        guard let method = AttentionMethod(rawValue: name) else {
            throw .value("method", "'\(name.excerpt())' is not a method; this model can do \(named).")
        }
        guard honored.contains(method) else {
            throw APIError(
                422, "method_not_supported", param: "method",
                "This model (\(model.architecture.family)) \(method.missing); what it can show is \(named).")
        }
        return method
    }

    private static func indices(
        _ choice: IndexChoice, of name: String, count: Int, what: String
    ) throws(APIError) -> [Int] {
        guard case .some(let written) = choice else { return Array(0..<count) }
        var seen = [Bool](repeating: false, count: count)
        var indices: [Int] = []
        for index in written {
            guard index >= -count, index < count else {
                throw .value(
                    name, "\(index) is out of range: there are \(count) \(what), 0…\(count - 1) or -\(count)…-1.")
            }
            let position = index < 0 ? index + count : index
            if seen[position] { throw .value(name, "\(index) names \(position), which is there already.") }
            seen[position] = true
            indices.append(position)
        }
        return indices
    }

    private func checkSize(
        length: Int, special: [Bool], limits: AttentionLimits
    ) throws(APIError) {
        let method = selection.method
        let positions = selection.queries ?? Array(0..<length)
        let columns = method.columns(length: length)
        let maps = method.hasLayers ? selection.layers.count * selection.heads.count : 1
        let made = AttentionPlan.product([maps, positions.count, columns])
        guard made <= limits.weights else {
            throw APIError(
                413, "too_many_weights", param: nil,
                "\(made) weights are more than the \(limits.weights) made for one request: ask for fewer 'layers', "
                    + "'heads' or 'queries'.")
        }
        guard format == .json else { return }
        let hides = options.specialTokens != .keep
        let rows = hides ? positions.filter { !special[$0] }.count : positions.count
        var kept = hides ? columns - special.filter { $0 }.count : columns
        switch options.select {
        case .topK(let count): kept = min(kept, count)
        // How many a share of the mass needs is known only once they are made.
        case .mass: return
        case nil: break
        }
        let answered = options.headReduce == .none ? maps : selection.layers.count
        try AttentionPlan.checkJSON(AttentionPlan.product([answered, rows, kept]), limits)
    }

    static func checkJSON(_ count: Int, _ limits: AttentionLimits) throws(APIError) {
        guard count > limits.jsonWeights else { return }
        throw APIError(
            413, "too_many_weights", param: nil,
            "\(count) weights are more than the \(limits.jsonWeights) of a JSON answer: ask for fewer 'layers', "
                + "'heads' or 'queries', for 'head_reduce', for 'select' such as {\"top_k\": 16}, or for 'format' "
                + "safetensors or npy."
        )
    }

    /// Returns the product, or `Int.max` if it is larger.
    private static func product(_ factors: [Int]) -> Int {
        factors.reduce(1) { product, factor in
            let (value, overflow) = product.multipliedReportingOverflow(by: factor)
            return overflow ? Int.max : value
        }
    }
}
