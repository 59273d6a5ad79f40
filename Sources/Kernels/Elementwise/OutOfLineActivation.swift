/// Instructions whose type compiles activation functions once, out of line.
public protocol OutOfLineActivation: Instructions {
    /// Runs `activateRows`, out of line.
    static func activate(
        _ activation: Activation, _ x: UnsafeMutablePointer<Float>, rows: Int, width: Int, stride: Int, isCoarse: Bool)
}
