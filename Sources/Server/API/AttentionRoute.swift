import JSON
import Models

/// GET and POST /v1/attention up to and after the forward pass: the request is read and checked on a worker, `work`
/// joins a batch, and `response` writes what came of it.
struct AttentionRoute: Sendable {
    let model: String
    let description: ModelDescription
    let request: AttentionRequest
    let plan: AttentionPlan
    let tokens: [AttentionToken]
    /// What the network is to do.
    let work: SequenceRequest
    private let limits: AttentionLimits

    /// Reads the fields: the query of a GET, the JSON body of anything else. Cheap, but for the parsing of a long body.
    static func read(_ http: HTTPRequest) throws(AttentionError) -> AttentionRequest {
        if http.method == "GET" || http.method == "HEAD" { return try AttentionRequest(query: http.query) }
        if let query = http.query, !query.isEmpty {
            throw AttentionError(
                400, "invalid_query", param: nil,
                "A \(http.method) carries its fields in the JSON body, not in the URL.")
        }
        let body: JSONValue
        do throws(JSONError) {
            body = try JSONValue(parsing: http.body)
        } catch {
            throw AttentionError(400, "invalid_json", param: nil, "The body is not JSON: \(error).")
        }
        return try AttentionRequest(body)
    }

    /// Tokenises, and checks the request against the model.
    /// - Parameter accept: the request's Accept field.
    init(
        _ request: AttentionRequest, model: Model, accept: String?, limits: AttentionLimits = AttentionLimits()
    ) throws(AttentionError) {
        let sequence = try AttentionSequence(request, model: model)
        self.model = model.name
        description = model.description
        self.request = request
        tokens = sequence.tokens
        self.limits = limits
        plan = try AttentionPlan(
            request, model: model.description, length: tokens.count, special: tokens.map(\.special), accept: accept,
            limits: limits)
        var outputs = OutputSelection()
        outputs.attention = plan.selection
        work = SequenceRequest(input: sequence.input, outputs: outputs)
    }

    /// - Parameter maps: what the network made for `work`.
    func response(_ maps: AttentionMaps) throws(AttentionError) -> HTTPResponse {
        try AttentionAnswer(
            model: model, description: description, request: request, plan: plan, tokens: tokens, maps: maps
        ).response(limits)
    }
}
