/// The tensors of one model, from whichever file format holds them.
public protocol WeightFile: Sendable {
    /// The file (or index) read, relative to the model directory, for messages.
    var path: String { get }
    /// What `encoderd inspect` calls the format: `safetensors`, `npz`, `pytorch (zip)`, `pytorch (legacy)`.
    var format: String { get }
    /// In the file's order.
    var names: [String] { get }
    func tensor(_ name: String) -> Tensor?
}
