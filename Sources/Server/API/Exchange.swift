import JSON
import Models

/// A request being worked on, and its place among those admitted.
struct Exchange: Sendable {
    let context: RequestContext
    let admission: Admission
    let deadline: ContinuousClock.Instant?
    var timing = ServerTiming()
}

extension HTTPRequest {
    /// The body as JSON, of the one media type that is read.
    func jsonBody() throws(APIError) -> JSONValue {
        // RFC 9110, 15.5.12: no body and no length, where there must be a body.
        if body.isEmpty, headers["Content-Length"] == nil, headers["Transfer-Encoding"] == nil {
            throw APIError(411, "length_required", "Send a JSON body, with its Content-Length.")
        }
        if let coding = headers["Content-Encoding"], coding.lowercased() != "identity" {
            throw APIError(
                415, "unsupported_content_encoding", param: "Content-Encoding",
                "The content coding '\(coding.prefix(40))' is not read; send the body as it is.")
        }
        let type = (headers["Content-Type"] ?? "").split(separator: ";").first.map {
            $0.filter { $0 != " " && $0 != "\t" }.lowercased()
        }
        guard type == "application/json" else {
            throw APIError(
                415, "unsupported_media_type", param: "Content-Type",
                "The body must be sent with 'Content-Type: application/json', not '\((type ?? "").prefix(80))'.")
        }
        do throws(JSONError) {
            return try JSONValue(parsing: body)
        } catch {
            throw APIError(400, "invalid_json", "The body is not valid JSON: \(error).")
        }
    }

}

extension Exchange {
    func jsonBody() throws(APIError) -> JSONValue { try context.request.jsonBody() }

    /// Queues sequences; what `answer` makes of the results is sent by a worker.
    func infer(
        _ engine: InferenceEngine, model: Int, requests: [SequenceRequest],
        answer: @escaping @Sendable ([SequenceResult]) throws(APIError) -> HTTPResponse
    ) throws(APIError) {
        let writer = context.writer
        let task = InferenceTask(
            model: model, sequences: requests, deadline: deadline, isCancelled: { writer.isCancelled }
        ) { [self] outcome in
            var timing = timing
            switch outcome {
            case .failure(let error): context.respond(APIError(error), timing: timing)
            case .success(let outcome):
                timing.queue += outcome.queued
                timing.infer = outcome.inferred
                let start = ContinuousClock.now
                do throws(APIError) {
                    let response = try answer(outcome.results)
                    timing.serialize = start.duration(to: .now)
                    context.respond(response, timing: timing)
                } catch {
                    context.respond(error, timing: timing)
                }
            }
        }
        do throws(QueueError) { try engine.enqueue(task) } catch { throw APIError(error) }
    }
}
