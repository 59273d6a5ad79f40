import JSON
import Models

/// A request to a model without a server: the same fields, checks and answer as the route's, on the calling thread.
public enum OneShot {
    /// - Parameter body: the JSON object that a client would POST to /v1/encode; `model` is not needed.
    /// - Returns: the JSON text of the answer.
    public static func encode(_ body: JSONValue, model: Model) throws(OneShotError) -> [UInt8] {
        do throws(APIError) {
            let request = try EncodeRequest(body)
            var reader = SequenceReader(model: model, limits: RequestLimits(), truncate: request.truncate)
            reader.prompt = try request.prompt(model.description)
            let sequences = try reader.read(request.input)
            let plan = try EncodePlan(request, model.description, sequences: sequences.count)
            try plan.check(sequences, model.description, reader.limits)
            let results = model.network.forward(plan.requests(sequences), scratch: Scratch())
            let shapes = sequences.map { (length: $0.length, truncated: $0.truncated) }
            return EncodeAnswer(model: model, plan: plan, sequences: shapes, results: results).json().bytes()
        } catch {
            throw OneShotError(message: error.message)
        }
    }
}

/// Why a request could not be done: what was wrong and what would be right.
public struct OneShotError: Error, CustomStringConvertible {
    public let message: String
    public var description: String { message }
}
