import JSON
import Models

/// The one sequence of an attention request, as the model reads it and as the answer names it.
struct AttentionSequence {
    let input: SequenceInput
    let tokens: [AttentionToken]

    init(_ request: AttentionRequest, model: Model, limits: RequestLimits) throws(APIError) {
        var value = request.input
        if request.isQuery, model.tokenizer == nil, let text = value.string {
            do throws(JSONError) {
                value = try JSONValue(parsing: Array(text.utf8))
            } catch {
                throw .value("input", "This model reads numbers: 'input' must be JSON, and cannot be read: \(error).")
            }
        }
        let sequence = try SequenceReader(model: model, limits: limits, truncate: request.truncate).readOne(value)
        input = sequence.input
        switch sequence.input {
        case .features(_, let steps):
            tokens = (0..<steps).map { AttentionToken(text: String($0), id: nil, start: 0, end: 0, special: false) }
        case .tokens(let ids, _) where sequence.tokens.isEmpty:
            tokens = ids.map {
                AttentionToken(
                    text: model.tokenizer?.token($0) ?? String($0), id: Int($0), start: 0, end: 0,
                    special: model.tokenizer?.isSpecial($0) ?? false)
            }
        case .tokens:
            tokens = sequence.tokens.map {
                AttentionToken(text: $0.text, id: Int($0.id), start: $0.start, end: $0.end, special: $0.special)
            }
        }
    }
}
