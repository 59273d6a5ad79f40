import Models

/// The speed at which this machine runs a model's passes, learned from those that have run.
struct MeasuredSpeed {
    /// The guess before the first pass, in seconds of one core per multiplication.
    private static let firstGuess = 1e-10
    /// The weight of a new pass once there are enough of them.
    private static let leastWeight = 0.05

    private(set) var secondsPerMultiplication = MeasuredSpeed.firstGuess
    private var passes = 0

    /// Learns from a pass.
    /// - Parameters:
    ///   - seconds: the time of all its threads together.
    ///   - multiplications: the estimate of its work.
    mutating func learn(seconds: Double, multiplications: Double) {
        guard seconds > 0, multiplications > 0, seconds.isFinite, multiplications.isFinite else { return }
        passes += 1
        let weight = max(Self.leastWeight, 1 / Double(passes))
        secondsPerMultiplication += weight * (seconds / multiplications - secondsPerMultiplication)
    }
}

/// The measured speeds of all models, by what their passes make.
struct MeasuredSpeeds {
    /// The speeds by model and kind of pass: the plain pass, then each method of attribution.
    private var speeds: [[MeasuredSpeed]]

    init(models: Int) {
        let kinds = 1 + AttentionMethod.allCases.count
        speeds = Array(repeating: Array(repeating: MeasuredSpeed(), count: kinds), count: models)
    }

    /// The kind of pass that outputs ask for.
    static func kind(of outputs: OutputSelection) -> Int {
        guard let method = outputs.attention?.method else { return 0 }
        return 1 + (AttentionMethod.allCases.firstIndex(of: method) ?? 0)
    }

    /// The time that some work of a model takes, in seconds of one core.
    func seconds(_ multiplications: Double, model: Int, kind: Int) -> Double {
        multiplications * speeds[model][kind].secondsPerMultiplication
    }

    mutating func learn(model: Int, kind: Int, seconds: Double, multiplications: Double) {
        speeds[model][kind].learn(seconds: seconds, multiplications: multiplications)
    }
}
