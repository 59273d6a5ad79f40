import JSON
import Models

/// The one sequence of an attention request, as the model reads it and as the answer names it.
struct AttentionSequence {
    let input: SequenceInput
    let tokens: [AttentionToken]

    init(_ request: AttentionRequest, model: Model) throws(AttentionError) {
        let description = model.description
        var value = request.input
        if request.isQuery, model.tokenizer == nil, let text = value.string {
            do throws(JSONError) {
                value = try JSONValue(parsing: Array(text.utf8))
            } catch {
                throw .value("input", "This model reads numbers: 'input' must be JSON, and cannot be read: \(error).")
            }
        }
        switch description.input {
        case .tokens(let vocabularySize):
            if let tokenizer = model.tokenizer, value.string != nil || value.object != nil {
                self = try AttentionSequence(text: value, tokenizer, description, truncate: request.truncate)
            } else {
                self = try AttentionSequence(
                    ids: value, vocabularySize, model.tokenizer, description, truncate: request.truncate)
            }
        case .features(let size):
            self = try AttentionSequence(features: value, size, description, truncate: request.truncate)
        }
    }

    private init(
        text value: JSONValue, _ tokenizer: any Tokenizer, _ description: ModelDescription, truncate: Bool
    ) throws(AttentionError) {
        var text = value.string ?? ""
        var pair: String?
        if let object = value.object {
            for (key, member) in object.members {
                guard key == "text" || key == "pair" else {
                    throw AttentionError(
                        400, "unknown_field", param: "input.\(key)",
                        "A text pair has \"text\" and \"pair\", not '\(key)'.")
                }
                guard let string = member.string else { throw .type("input.\(key)", "a string", found: member) }
                if key == "text" { text = string } else { pair = string }
            }
            guard object["text"] != nil else {
                throw AttentionError(400, "missing_field", param: "input.text", "A text pair needs \"text\".")
            }
        }
        let encoding = tokenizer.encode(text, pair: pair, maxLength: description.maxLength)
        if encoding.truncated, !truncate {
            throw AttentionSequence.tooLong(encoding.untruncatedCount, description)
        }
        guard !encoding.tokens.isEmpty else { throw .value("input", "The text has no tokens.") }
        tokens = encoding.tokens.map {
            AttentionToken(text: $0.text, id: Int($0.id), start: $0.start, end: $0.end, special: $0.special)
        }
        let types = encoding.tokens.map(\.typeID)
        input = .tokens(ids: encoding.tokens.map(\.id), typeIDs: types.contains { $0 != 0 } ? types : [])
    }

    private init(
        ids value: JSONValue, _ vocabularySize: Int, _ tokenizer: (any Tokenizer)?, _ description: ModelDescription,
        truncate: Bool
    ) throws(AttentionError) {
        guard let array = value.array else {
            let expected = tokenizer == nil ? "an array of token ids" : "a text, a text pair or an array of token ids"
            throw .type("input", expected, found: value)
        }
        if let first = array.first, first.array != nil || first.string != nil || first.object != nil {
            throw .value("input", "'input' must be one sequence here, not an array of them.")
        }
        var ids: [Int32] = []
        for (index, item) in array.enumerated() {
            guard let id = item.int else { throw .type("input[\(index)]", "a token id", found: item) }
            guard id >= 0, id < vocabularySize, let narrow = Int32(exactly: id) else {
                throw .value(
                    "input[\(index)]", "\(id) is not a token id of this model: those are 0…\(vocabularySize - 1).")
            }
            ids.append(narrow)
        }
        let kept = try AttentionSequence.length(ids.count, description, truncate: truncate)
        ids = Array(ids.prefix(kept))
        tokens = ids.map {
            AttentionToken(
                text: tokenizer?.token($0) ?? String($0), id: Int($0), start: 0, end: 0,
                special: tokenizer?.isSpecial($0) ?? false)
        }
        input = .tokens(ids: ids, typeIDs: [])
    }

    private init(
        features value: JSONValue, _ size: Int, _ description: ModelDescription, truncate: Bool
    ) throws(AttentionError) {
        if value.string != nil || value.object != nil {
            throw AttentionError(
                422, "input_not_supported", param: "input",
                "This model reads feature vectors: an array of steps of \(size) numbers, not \(value.kind).")
        }
        guard let steps = value.array else {
            throw .type("input", "an array of steps of \(size) numbers", found: value)
        }
        if steps.first?.array?.first?.array != nil {
            throw .value("input", "'input' must be one sequence here, not an array of them.")
        }
        let kept = try AttentionSequence.length(steps.count, description, truncate: truncate)
        var values: [Float] = []
        values.reserveCapacity(kept)
        for (index, step) in steps.enumerated() {
            guard let numbers = step.array else {
                throw .type("input[\(index)]", "an array of \(size) numbers", found: step)
            }
            guard numbers.count == size else {
                throw .value("input[\(index)]", "A step has \(size) numbers in this model, not \(numbers.count).")
            }
            for (place, number) in numbers.enumerated() {
                guard let double = number.double else {
                    throw .type("input[\(index)][\(place)]", "a number", found: number)
                }
                guard Float(double).isFinite else {
                    throw .value("input[\(index)][\(place)]", "\(double) is beyond what an f32 can hold.")
                }
                if index < kept { values.append(Float(double)) }
            }
        }
        tokens = (0..<kept).map { AttentionToken(text: String($0), id: nil, start: 0, end: 0, special: false) }
        input = .features(values, steps: kept)
    }

    /// How many of `count` tokens or steps the model reads.
    private static func length(
        _ count: Int, _ description: ModelDescription, truncate: Bool
    ) throws(AttentionError) -> Int {
        guard count > 0 else { throw .value("input", "'input' is empty; a sequence has at least one token or step.") }
        guard let limit = description.maxLength, count > limit else { return count }
        guard truncate else { throw tooLong(count, description) }
        return limit
    }

    private static func tooLong(_ count: Int, _ description: ModelDescription) -> AttentionError {
        AttentionError(
            400, "sequence_too_long", param: "input",
            "The sequence has \(count) tokens or steps, and this model takes \(description.maxLength ?? count): "
                + "shorten it, or leave 'truncate' at true.")
    }
}
