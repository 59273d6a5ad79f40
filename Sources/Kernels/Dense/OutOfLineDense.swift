/// Instructions whose type compiles the f32 kernels of dense layers once, out of line.
public protocol OutOfLineDense: OutOfLineActivation {
    /// Runs `multiplyPanel` in f32, out of line: one copy of the register tiles for each instruction set.
    static func multiply(_ product: PanelProduct<Float>)
    /// Runs `multiplyOneRow` in f32, out of line.
    static func multiplyRow(_ product: PanelProduct<Float>)
    /// Runs `denseLayer`, out of line.
    static func dense(_ d: DenseArguments)
}
