import HTTP
import Models

/// GET and POST /v1/attention: read on a worker, inferred in batches, written on a worker.
struct AttentionRoute: Sendable {
    let models: ModelSet
    let engine: InferenceEngine
    let limits: RequestLimits
    var answerLimits = AttentionLimits()

    /// Runs on a worker; answers later, or at once with an error.
    func prepare(_ exchange: Exchange) throws(APIError) {
        var exchange = exchange
        let start = ContinuousClock.now
        let http = exchange.context.request
        let request = try AttentionTask.read(http, limits)
        let (index, model) = try models.find(request.model)
        let task = try AttentionTask(
            request, model: model, accept: http.headers.list("Accept"), requestLimits: limits, limits: answerLimits)
        exchange.timing.tokenize = start.duration(to: .now)
        try exchange.infer(engine, model: index, requests: [task.work]) { results throws(APIError) in
            guard let maps = results.first?.attention else {
                throw APIError(500, "internal_error", "The model '\(model.name)' made no maps.")
            }
            return try task.answer(maps)
        }
    }
}

/// One attention request, before and after the forward pass.
struct AttentionTask: Sendable {
    let model: String
    let description: ModelDescription
    /// Without its input, which has been read: it may be megabytes, and waits with the task for the answer.
    let request: AttentionRequest
    let plan: AttentionPlan
    let tokens: [AttentionToken]
    /// What the network is to do.
    let work: SequenceRequest
    private let limits: AttentionLimits

    /// Reads the fields: the query of a GET, the JSON body of anything else. Cheap, but for the parsing of a long body.
    static func read(
        _ http: HTTPRequest, _ limits: RequestLimits = RequestLimits()
    ) throws(APIError) -> AttentionRequest {
        if http.method == "GET" || http.method == "HEAD" { return try AttentionRequest(query: http.query) }
        if let query = http.query, !query.isEmpty {
            throw APIError(
                400, "invalid_query", param: nil,
                "A \(http.method) carries its fields in the JSON body, not in the URL.")
        }
        return try AttentionRequest(http.jsonBody(limits))
    }

    /// Tokenizes, and checks the request against the model.
    /// - Parameter accept: the request's Accept field.
    init(
        _ request: AttentionRequest, model: Model, accept: String?, requestLimits: RequestLimits = RequestLimits(),
        limits: AttentionLimits = AttentionLimits()
    ) throws(APIError) {
        let sequence = try AttentionSequence(request, model: model, limits: requestLimits)
        self.model = model.name
        description = model.description
        var withoutInput = request
        withoutInput.input = .null
        self.request = withoutInput
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
    func answer(_ maps: AttentionMaps) throws(APIError) -> ResponseContent {
        try AttentionAnswer(
            model: model, description: description, request: request, plan: plan, tokens: tokens, maps: maps
        ).answer(limits)
    }
}
