import HTTP

/// The limits on the size of one request.
public struct RequestLimits: Sendable {
    public var maxSequences = 1024
    /// The tokens or steps of all sequences together, counted after truncation.
    public var maxTokens = 1 << 18
    /// The logits of all tokens together: 128 MiB. A masked language model has one for each token of its vocabulary.
    public var maxLogits = 1 << 25
    /// The bytes of a body, counted after its content coding is undone.
    public var maxBodyBytes = HTTPLimits().maxBodyBytes
    /// The bytes that each byte of a compressed body may become.
    public var maxInflateRatio = Inflater.defaultRatio

    public init() {}

    /// The values of a JSON body, where an array of numbers alone counts as one: at least 2²⁰, else four for each token or
    /// step, as many as an array, a row or a pair takes. 2²⁰ values take 48 MiB or more, far more than their text.
    var maxValues: Int {
        let (values, overflow) = maxTokens.multipliedReportingOverflow(by: 4)
        return overflow ? .max : max(1 << 20, values)
    }
}

/// The limits on the size of an attention response.
public struct AttentionLimits: Sendable {
    /// The weights in a JSON response.
    public var jsonWeights = 1_000_000
    /// The weights computed for one request, and so those in a binary response.
    public var weights = 64 << 20
    /// The cells in an SVG.
    public var vectorCells = 300_000
    /// The pixels in a PNG.
    public var pixels = 32_000_000

    public init() {}
}

/// The limits on one call.
package struct CallLimits: Sendable {
    package var request: RequestLimits
    package var attention: AttentionLimits

    package init(request: RequestLimits = RequestLimits(), attention: AttentionLimits = AttentionLimits()) {
        self.request = request
        self.attention = attention
    }
}
