/// Instructions whose type compiles the parts of f32 attention once, out of line.
public protocol OutOfLineAttention: Instructions {
    /// Runs `packKeyRows`, out of line.
    static func packKeys(
        _ k: UnsafePointer<Float>, _ ldk: Int, _ keys: Int, _ headDim: Int, _ panels: UnsafeMutablePointer<Float>)
    /// Runs `attendBlock`, out of line.
    static func attend(_ task: AttentionBlock)
    /// Runs `runTile` of `ScoreWork`, out of line.
    static func scores(_ product: ScoreProduct)
    /// Runs `runTile` of `ValueWork`, out of line.
    static func values(_ product: ValueProduct)
}
