/// A way to make one vector of the states of a sequence.
public enum Pooling: String, Sendable, CaseIterable {
    /// The mean over all positions: Σ_t x_t / n.
    case mean
    /// The state at the first position: x_1.
    case cls
    /// The state at the last position: x_n. A bidirectional recurrent model takes each direction's own last step.
    case last
    /// The largest value of each component: max_t x_t.
    case max
    /// The sum divided by the square root of the length: Σ_t x_t / √n.
    case meanSqrtLength = "mean_sqrt_len"
    /// The mean with weights that grow with the position: Σ_t t·x_t / Σ_t t.
    case weightedMean = "weighted_mean"
}
