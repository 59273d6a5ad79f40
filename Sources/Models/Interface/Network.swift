/// A loaded network. It is immutable and shared by all workers; each worker brings its own `Scratch`.
public protocol Network: Sendable {
    var description: ModelDescription { get }

    /// Runs one ragged batch without padding: the tokens of all sequences are stacked.
    ///
    /// The caller has checked every request against `description`. Ids and indices are in range, feature vectors have the
    /// right width, and lengths are at least 1 and at most `positions`. No result depends on the other sequences of a batch.
    /// - Returns: The results, in the order of `batch`.
    func forward(_ batch: [SequenceRequest], scratch: Scratch) -> [SequenceResult]
}
