import Glibc
import JSON
import ModelFiles

/// The frequencies of rotary position embeddings (Su et al. 2021, https://arxiv.org/abs/2104.09864). A frequency is the
/// angle by which a pair of values of a query or key turns from one position to the next.
///
/// They are computed in f32, step by step as transformers' ROPE_INIT_FUNCTIONS do
/// (https://github.com/huggingface/transformers/blob/main/src/transformers/modeling_rope_utils.py), since models were
/// trained with those roundings.
struct RopeConfiguration: Sendable, Equatable {
    /// `rope_type`, formerly `type`.
    enum Kind: String, CaseIterable {
        case `default`, linear, dynamic, yarn, longrope, llama3, proportional
    }

    /// The frequencies of sequences longer than `trained` tokens.
    enum Beyond: Sendable, Equatable {
        case same
        /// Frequencies of their own (`long_factor` of longrope).
        case other([Float])
        /// Frequencies of a base that grows with the sequence (`dynamic`).
        case scaled(base: Double, factor: Double)
    }

    /// Radians a position, [pairs], for sequences of up to `trained` tokens.
    private let base: [Float]
    private let beyond: Beyond
    private let trained: Int
    /// The factor of all sines and cosines.
    let attentionFactor: Float
    /// Tokens that a sequence may have, after the scaling has stretched `max_position_embeddings`.
    let positions: Int

    /// Whether all lengths have the same frequencies.
    var isFixed: Bool { beyond == .same }

    /// Returns the radians a position, [pairs], for a sequence of `length` tokens.
    func frequencies(length: Int) -> [Float] {
        guard length > trained else { return base }
        switch beyond {
        case .same: return base
        case .other(let frequencies): return frequencies
        case .scaled(let theta, let factor):
            let width = 2 * base.count
            let stretch = Float(factor) * Float(length) / Float(trained) - Float(factor - 1)
            let grown = Float(theta) * Glibc.powf(stretch, Float(Double(width) / Double(width - 2)))
            return RopeConfiguration.powers(base: grown, width: width).map { 1 / $0 }
        }
    }

    /// Makes frequencies 1 / theta^(2i / width). Sequences longer than `trained` have those of a base that grows.
    /// - Parameters:
    ///   - width: Values of a head that turn; even.
    ///   - dynamic: The factor by which the base grows. `nil` keeps the frequencies.
    init(theta: Double, width: Int, positions: Int, trained: Int, dynamic factor: Double?) {
        base = RopeConfiguration.powers(base: Float(theta), width: width).map { 1 / $0 }
        beyond = factor.map { width > 2 ? .scaled(base: theta, factor: $0) : .same } ?? .same
        self.trained = trained
        attentionFactor = 1
        self.positions = positions
    }

    /// Reads the configuration that all layers share: `rope_theta` with `rope_scaling` (older), or `rope_parameters`.
    /// - Parameter maximum: `max_position_embeddings`.
    init(_ c: ConfigurationFile, theta: Double = 10_000, headDim: Int, maximum: Int) throws(FileError) {
        let scaling = try RopeConfiguration.object(c, "rope_scaling")
        let (key, object) =
            if let scaling, !scaling.isEmpty { ("rope_scaling", scaling) } else {
                ("rope_parameters", try RopeConfiguration.object(c, "rope_parameters") ?? JSONObject())
            }
        if let nested = object.members.first(where: { $0.value.object != nil }) {
            throw FileError(
                file: c.file,
                "'\(key).\(nested.key)' is an object; all layers of this family share one rotary embedding")
        }
        let theta = try c.double("rope_theta", in: 1...1e12, default: theta)
        try self.init(
            c, ConfigurationFile(file: "\(c.file), \(key)", object: object), theta: theta, headDim: headDim,
            maximum: maximum, original: try c.int("original_max_position_embeddings", in: 1...1 << 24, default: 0),
            truncate: object["truncate"]?.bool)
    }

    /// Reads the configuration of one type of layers: an object of `rope_parameters`, or, in older files, a key for the
    /// base and `rope_scaling`.
    /// - Parameters:
    ///   - type: The name of the type: `full_attention`.
    ///   - thetaKey: The older key of the base: `global_rope_theta`.
    ///   - scaled: Whether `rope_scaling` applies to this type.
    init(
        _ c: ConfigurationFile, type: String, thetaKey: String, theta: Double, scaled: Bool, headDim: Int, maximum: Int
    ) throws(FileError) {
        let all = try RopeConfiguration.object(c, "rope_parameters") ?? JSONObject()
        if !all.isEmpty, all["full_attention"] == nil, all["sliding_attention"] == nil {
            throw FileError(
                file: c.file, "'rope_parameters' should have objects 'full_attention' and 'sliding_attention'")
        }
        var merged = JSONObject()
        if scaled, let scaling = try RopeConfiguration.object(c, "rope_scaling") {
            for (key, value) in scaling.members { merged.append(key, value) }
        }
        let file = "\(c.file), rope_parameters"
        if let own = try RopeConfiguration.object(ConfigurationFile(file: file, object: all), type) {
            for (key, value) in own.members { merged.append(key, value) }
        }
        let theta = try c.double(thetaKey, in: 1...1e12, default: theta)
        try self.init(
            c, ConfigurationFile(file: "\(file).\(type)", object: merged), theta: theta, headDim: headDim,
            maximum: maximum, original: 0, truncate: all["truncate"]?.bool)
    }

    /// - Parameters:
    ///   - p: The parameters of one type of layers.
    ///   - original: `original_max_position_embeddings` beside the parameters, which precedes theirs; 0 for none.
    ///   - truncate: `truncate` of yarn, which transformers looks for outside of a type's parameters. `nil` if absent.
    private init(
        _ c: ConfigurationFile, _ p: ConfigurationFile, theta: Double, headDim: Int, maximum: Int, original: Int,
        truncate: Bool?
    ) throws(FileError) {
        let kind: Kind = try p.choice(p.object["rope_type"] == nil ? "type" : "rope_type", default: .default)
        let theta = try p.double("rope_theta", in: 1...1e12, default: theta)
        let fraction = try p.double(
            "partial_rotary_factor", in: 0...1, default: c.double("partial_rotary_factor", in: 0...1, default: 1))
        guard kind == .proportional || fraction == 1 else {
            throw FileError(
                file: c.file, "'partial_rotary_factor' is \(fraction); this family turns whole heads, where it is 1")
        }
        guard headDim % 2 == 0 else {
            throw FileError(file: c.file, "'head_dim' is \(headDim); rotary embeddings turn pairs of values")
        }
        func required(_ key: String) throws(FileError) -> Double {
            guard p.object[key] != nil, p.object[key] != .null else {
                throw FileError(file: p.file, "'\(key)' is missing, which rope_type '\(kind)' needs")
            }
            return try p.double(key, in: 1e-6...1e6, default: 1)
        }
        let originalMaximum =
            original > 0
            ? original : try p.int("original_max_position_embeddings", in: 1...1 << 24, default: maximum)
        let powers = RopeConfiguration.powers(base: Float(theta), width: headDim)
        let plain = powers.map { 1 / $0 }
        var (base, beyond, trained, attentionFactor, positions) = (plain, Beyond.same, maximum, Float(1), maximum)
        switch kind {
        case .default: break
        case .linear:
            let factor = Float(try required("factor"))
            base = plain.map { $0 / factor }
        case .dynamic:
            let factor = try required("factor")
            if headDim > 2 { beyond = .scaled(base: theta, factor: factor) }
            positions = RopeConfiguration.stretched(maximum, factor)
        case .proportional:
            // The first pairs turn as if all did; the others keep still.
            let turning = Int(fraction * Double(headDim)) / 2
            let factor = Float(try p.double("factor", in: 1e-6...1e6, default: 1))
            base = plain.enumerated().map { $0 < turning ? $1 / factor : 0 }
        case .llama3:
            base = RopeConfiguration.llama3(
                plain, factor: Float(try required("factor")), low: try required("low_freq_factor"),
                high: try required("high_freq_factor"), trained: Double(originalMaximum))
        case .yarn:
            let factor =
                p.object["factor"] == .null
                ? Double(maximum) / Double(originalMaximum) : try required("factor")
            base = try RopeConfiguration.yarn(
                p, powers, theta: theta, factor: factor, trained: Double(originalMaximum), truncate: truncate ?? true)
            attentionFactor = Float(try RopeConfiguration.yarnAttentionFactor(p, factor))
            positions = max(maximum, RopeConfiguration.stretched(originalMaximum, factor))
        case .longrope:
            let ratio = Double(maximum) / Double(originalMaximum)
            let factor = try p.double("factor", in: 1e-6...1e6, default: ratio)
            let usual = factor <= 1 ? 1 : (1 + Glibc.log(factor) / Glibc.log(Double(originalMaximum))).squareRoot()
            attentionFactor = Float(try p.double("attention_factor", in: 0...1e6, default: usual))
            let (short, long) = (
                try RopeConfiguration.factors(p, "short_factor", count: headDim / 2),
                try RopeConfiguration.factors(p, "long_factor", count: headDim / 2)
            )
            base = zip(short, powers).map { 1 / ($0 * $1) }
            beyond = .other(zip(long, powers).map { 1 / ($0 * $1) })
            trained = originalMaximum
        }
        (self.base, self.beyond, self.trained) = (base, beyond, trained)
        (self.attentionFactor, self.positions) = (attentionFactor, positions)
    }

    /// Returns base^(2i / width), [width / 2].
    private static func powers(base: Float, width: Int) -> [Float] {
        stride(from: 0, to: width, by: 2).map { Glibc.powf(base, Float($0) / Float(width)) }
    }

    private static func stretched(_ maximum: Int, _ factor: Double) -> Int {
        Int(min(Double(1 << 24), max(1, factor) * Double(maximum)))
    }

    /// Stretches frequencies as Llama 3.1 does: wavelengths above `trained / low` by `factor`, those below `trained /
    /// high` not at all, those between in proportion.
    private static func llama3(
        _ plain: [Float], factor: Float, low: Double, high: Double, trained: Double
    ) -> [Float] {
        plain.map { frequency in
            let wavelength = Float(2 * Double.pi) / frequency
            if wavelength < Float(trained / high) { return frequency }
            if wavelength > Float(trained / low) { return frequency / factor }
            let smooth = (Float(trained) / wavelength - Float(low)) / Float(high - low)
            return (1 - smooth) * frequency / factor + smooth * frequency
        }
    }

    /// Stretches frequencies as YaRN does (Peng et al. 2023, https://arxiv.org/abs/2309.00071). Pairs that turn often
    /// within the trained length keep theirs. Pairs that turn seldom are stretched, with a ramp between.
    private static func yarn(
        _ p: ConfigurationFile, _ powers: [Float], theta: Double, factor: Double, trained: Double, truncate: Bool
    ) throws(FileError) -> [Float] {
        func rotations(_ key: String, default value: Double) throws(FileError) -> Double {
            let found = try p.double(key, in: 0...1e6, default: value)
            return found == 0 ? value : found
        }
        let width = Double(2 * powers.count)
        func pair(_ rotations: Double) -> Double {
            width * Glibc.log(trained / (rotations * 2 * Double.pi)) / (2 * Glibc.log(theta))
        }
        var low = pair(try rotations("beta_fast", default: 32))
        var high = pair(try rotations("beta_slow", default: 1))
        if truncate { (low, high) = (low.rounded(.down), high.rounded(.up)) }
        (low, high) = (max(low, 0), min(high, width - 1))
        if low == high { high += 0.001 }
        return powers.enumerated().map { i, power in
            let ramp = min(1, max(0, (Float(i) - Float(low)) / Float(high - low)))
            let kept = 1 - ramp
            return 1 / (Float(factor) * power) * (1 - kept) + 1 / power * kept
        }
    }

    private static func yarnAttentionFactor(_ p: ConfigurationFile, _ factor: Double) throws(FileError) -> Double {
        func scale(_ m: Double) -> Double { factor <= 1 ? 1 : 0.1 * m * Glibc.log(factor) + 1 }
        let (m, all) = (
            try p.double("mscale", in: 0...1e6, default: 0), try p.double("mscale_all_dim", in: 0...1e6, default: 0)
        )
        return try p.double(
            "attention_factor", in: 0...1e6, default: m != 0 && all != 0 ? scale(m) / scale(all) : scale(1))
    }

    private static func factors(_ p: ConfigurationFile, _ key: String, count: Int) throws(FileError) -> [Float] {
        let found = p.object[key]?.array?.compactMap(\.double) ?? []
        guard found.count == count, found.allSatisfy({ $0 > 0 }) else {
            throw FileError(file: p.file, "'\(key)' should be an array of \(count) numbers above 0")
        }
        return found.map { Float($0) }
    }

    private static func object(_ c: ConfigurationFile, _ key: String) throws(FileError) -> JSONObject? {
        guard let found = c.object[key], found != .null else { return nil }
        guard let object = found.object else { throw c.wrong(key, found, "an object") }
        return object
    }
}
