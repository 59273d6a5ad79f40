/// The tensors of one model, whichever file format holds them.
public protocol WeightFile: Sendable {
    /// The file, or the index of a sharded one, relative to the model directory, for messages.
    var path: String { get }
    /// The format as `encoderd inspect` shows it: `safetensors`, `npz`, `pytorch (zip)`, `pytorch (legacy)`.
    var format: String { get }
    /// The tensors' names, in the file's order.
    var names: [String] { get }
    func tensor(_ name: String) -> Tensor?
}
