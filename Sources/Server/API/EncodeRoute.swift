import JSON
import Models

/// POST /v1/encode: read on a worker, inferred in batches, written on a worker.
struct EncodeRoute: Sendable {
    let models: ModelSet
    let engine: InferenceEngine
    let limits: RequestLimits

    /// Runs on a worker; answers later, or at once with an error.
    func prepare(_ exchange: Exchange) throws(APIError) {
        var exchange = exchange
        let start = ContinuousClock.now
        let body = try exchange.context.request.jsonBody(limits)
        let request = try EncodeRequest(body)
        let (index, model) = try models.find(request.model)
        var reader = SequenceReader(model: model, limits: limits, truncate: request.truncate)
        reader.prompt = try request.prompt(model.description)
        let writer = exchange.context.writer
        reader.isCancelled = { writer.isCancelled }
        let sequences = try reader.read(request.input)
        let plan = try EncodePlan(request, model.description, sequences: sequences.count)
        try plan.check(sequences, model.description, limits)
        let format = EncodeFormat(accept: exchange.context.request.headers.list("Accept"))
        exchange.timing.tokenize = start.duration(to: .now)
        let shapes = sequences.map { (length: $0.length, truncated: $0.truncated) }
        try exchange.infer(engine, model: index, requests: plan.requests(sequences)) { results throws(APIError) in
            try EncodeAnswer(model: model, plan: plan, sequences: shapes, results: results).answer(format)
        }
    }
}
