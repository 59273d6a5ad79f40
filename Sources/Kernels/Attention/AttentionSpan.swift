/// The keys that a query sees: from `before` positions before its own to `after` positions behind it, both included.
///
/// Conventions differ by one, so each way to make a span names the convention it follows (transformers 5.23,
/// https://github.com/huggingface/transformers/blob/main/src/transformers/masking_utils.py).
public struct AttentionSpan: Equatable, Sendable {
    public let before: Int
    public let after: Int

    /// Makes a span from two distances in positions. A negative distance counts as 0: a query always sees its own
    /// position.
    @inlinable public init(before: Int, after: Int) {
        self.before = max(0, before)
        self.after = max(0, after)
    }

    /// A distance of more positions than any sequence has, and far from overflow when positions are added.
    @usableFromInline static var unlimited: Int { 1 << 48 }

    /// Every key.
    @inlinable public static var all: AttentionSpan { AttentionSpan(before: unlimited, after: unlimited) }

    /// The keys up to the query's own position: `causal_mask_function`.
    @inlinable public static var causal: AttentionSpan { AttentionSpan(before: unlimited, after: 0) }

    /// Returns a span of the last `window` keys, the query's own among them, 0 ≤ i − j < window:
    /// `sliding_window_overlay` on the causal mask (Mistral, Gemma).
    @inlinable public static func causal(window: Int) -> AttentionSpan { AttentionSpan(before: window - 1, after: 0) }

    /// Returns a span of |i − j| ≤ window / 2, rounded down: `sliding_window_bidirectional_overlay` of ModernBERT's
    /// `local_attention // 2`. Gemma 3 makes the same of its `sliding_window` under `use_bidirectional_attention`
    /// (|i − j| < window // 2 + 1).
    @inlinable public static func local(window: Int) -> AttentionSpan {
        AttentionSpan(before: window / 2, after: window / 2)
    }

    /// Returns the keys, out of `keys`, that the query at `position` sees.
    @export(implementation) @inline(__always)
    func visible(_ position: Int, keys: Int) -> Range<Int> {
        let first = min(keys, max(0, position - before))
        return first..<max(first, min(keys, position + after + 1))
    }

    /// Returns the queries, out of `count` with the first at `position`, that see any of `keys`.
    @export(implementation) @inline(__always)
    func queries(seeing keys: Range<Int>, count: Int, position: Int) -> Range<Int> {
        let first = min(count, max(0, keys.lowerBound - after - position))
        return first..<max(first, min(count, keys.upperBound + before - position))
    }
}
