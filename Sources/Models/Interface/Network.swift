/// A loaded network. It is immutable and shared by all workers; each worker brings its own `Scratch`.
public protocol Network: Sendable {
    var description: ModelDescription { get }

    /// Runs one ragged batch without padding: the tokens of all sequences are stacked.
    ///
    /// The caller has checked every request against `description`. Ids and indices are in range, feature vectors have the
    /// right width, and lengths are at least 1 and at most `positions`. No result depends on the other sequences of a batch.
    /// - Returns: The results, in the order of `batch`.
    ///   They are incomplete if `scratch.control` has stopped the pass.
    func forward(_ batch: [SequenceRequest], scratch: Scratch) -> [SequenceResult]

    /// Estimates the work of a sequence of `length` tokens or steps, in multiplications: dense layers, attention, and what
    /// its outputs cost beyond the pass.
    func multiplications(length: Int, outputs: OutputSelection) -> Double
}
