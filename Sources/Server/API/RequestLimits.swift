import HTTP

/// The limits on the size of one request.
public struct RequestLimits: Sendable {
    /// The largest number of sequences.
    public var maxSequences = 1024
    /// The largest number of tokens or steps of all sequences together, counted after truncation.
    public var maxTokens = 1 << 18
    /// The largest number of logits of all tokens together: 128 MiB. A masked language model has one for each token of its
    /// vocabulary.
    public var maxLogits = 1 << 25
    /// The largest size in bytes of a body, counted after its content coding is undone.
    public var maxBodyBytes = HTTPLimits().maxBodyBytes
    /// The longest estimated time of the weight maps of one request, in seconds of one core.
    public var maxCostSeconds = 10.0
    /// The largest number of bytes that each byte of a compressed body may become.
    public var maxInflateRatio = Inflater.defaultRatio

    public init() {}

    /// The largest number of values of a JSON body, where an array of numbers alone counts as one. It is at least 2²⁰, else
    /// four for each token or step, as many as an array, a row or a pair takes. 2²⁰ values take 48 MiB or more, far more
    /// than their text.
    var maxValues: Int {
        let (values, overflow) = maxTokens.multipliedReportingOverflow(by: 4)
        return overflow ? .max : max(1 << 20, values)
    }
}

/// The limits on the size of an attention response.
public struct AttentionLimits: Sendable {
    /// The largest number of weights in a JSON response.
    public var jsonWeights = 1_000_000
    /// The largest number of weights computed for one request, and so of those in a binary response.
    public var weights = 64 << 20
    /// The largest number of cells in an SVG.
    public var vectorCells = 300_000
    /// The largest number of pixels in a PNG.
    public var pixels = 32_000_000

    public init() {}
}

/// The limits on one call.
package struct CallLimits: Sendable {
    /// The limits on the input of every call.
    package var request: RequestLimits
    /// The limits on the maps of an attention call.
    package var attention: AttentionLimits

    package init(request: RequestLimits = RequestLimits(), attention: AttentionLimits = AttentionLimits()) {
        self.request = request
        self.attention = attention
    }

    /// The limits of a call in the caller's own process: only pictures are bounded.
    package static var unbounded: CallLimits {
        var limits = CallLimits()
        limits.request.maxSequences = .max
        limits.request.maxTokens = .max
        limits.request.maxLogits = .max
        limits.request.maxBodyBytes = .max
        limits.request.maxCostSeconds = .infinity
        limits.attention.jsonWeights = .max
        limits.attention.weights = .max
        return limits
    }
}
