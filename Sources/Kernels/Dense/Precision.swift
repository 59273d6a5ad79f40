/// The number format of dense layers: of their weights, and of the activations that are multiplied with them. Outputs,
/// norms, softmax and activation functions are f32 in each.
public enum Precision: String, Sendable, CaseIterable {
    /// Weights, activations and sums in f32.
    case f32
    /// Weights and activations rounded to bf16, sums in f32.
    case bf16
    /// Weights in 8 bits, symmetric, with one scale an output channel. Activations in 8 bits, with one scale and one
    /// zero a row, computed from the row itself. Sums are exact integers.
    case int8
}
