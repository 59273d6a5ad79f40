import JSON
import Models
import Tokenizers

/// The sequences that a call reads, as the client gave them.
package struct CallInput: Sendable {
    /// A sequence or an array of them. The model's kind of input and the depth of the JSON decide which.
    var value: JSONValue
    /// The request's name for the input, which errors name.
    var field = "input"
    /// The rules for objects in the input.
    var rules = FieldRules.strict
    /// Whether a text is read as JSON by a model without a tokenizer.
    var textMayBeJSON = false
    /// Whether each element of `value` is one sequence, whatever its depth.
    var isOneEach = false

    init(_ value: JSONValue, field: String = "input", rules: FieldRules = .strict) {
        self.value = value
        self.field = field
        self.rules = rules
    }

    /// Returns an input of one text.
    package static func text(_ text: String) -> CallInput { CallInput(.string(text)) }

    /// Returns an input of token ids, feature vectors, text pairs or texts, in the form that `/v1/encode` takes.
    package static func json(_ value: JSONValue) -> CallInput { CallInput(value) }

    /// Returns an input of which each value is one sequence: token ids, feature vectors, a text pair or a text.
    package static func sequences(_ values: [JSONValue]) -> CallInput {
        var input = CallInput(.array(values))
        input.isOneEach = true
        return input
    }

    /// Returns the sequences of an array of them. A value that is one sequence stays whole.
    package static func sequences(of value: JSONValue, for model: Model) -> [JSONValue] {
        guard case .array(let items) = value, InputReader.areSequences(items, model.description) else { return [value] }
        return items
    }

    /// Returns an input of one text, which a model without a tokenizer reads as JSON.
    package static func textOrJSON(_ text: String) -> CallInput {
        var input = CallInput(.string(text))
        input.textMayBeJSON = true
        return input
    }
}

/// A reader of a call's input as sequences of the kind that its model takes.
struct InputReader {
    let input: CallInput
    let model: Model
    let limits: RequestLimits
    /// Whether a sequence that is too long for the model is cut.
    var truncate = true
    /// The text in front of every text.
    var prompt = ""
    /// Whether nobody waits for the response any more. It is asked before each of several sequences.
    var isCancelled: @Sendable () -> Bool = { false }

    init(_ input: CallInput, model: Model, limits: RequestLimits, truncate: Bool = true) {
        self.input = input
        self.model = model
        self.limits = limits
        self.truncate = truncate
    }

    private var description: ModelDescription { model.description }
    private var field: String { input.field }

    /// Reads the input as one or more sequences.
    func read() throws(APIError) -> [PreparedSequence] {
        if input.isOneEach, case .array(let items) = input.value { return try markingPrompts(readEach(items)) }
        guard input.textMayBeJSON, model.tokenizer == nil, let text = input.value.string else {
            return try read(input.value)
        }
        let value: JSONValue
        do throws(JSONError) { value = try JSONValue(parsing: Array(text.utf8)) } catch {
            throw .value(
                field, "This model reads numbers: '\(field)' must be JSON, and cannot be read: \(error).")
        }
        return try read(value)
    }

    /// Reads exactly one sequence, which an array may hold.
    func readOne() throws(APIError) -> PreparedSequence {
        let sequences = try read()
        guard sequences.count == 1 else {
            throw .value(field, "'\(field)' must be one sequence here, not \(sequences.count).")
        }
        return sequences[0]
    }

    private func read(_ value: JSONValue) throws(APIError) -> [PreparedSequence] {
        switch description.architecture.input {
        case .tokens(let vocabularySize): try markingPrompts(readTokens(value, vocabularySize))
        case .features(let size): try readFeatures(value, size)
        }
    }

    /// Returns whether the elements of an array are sequences, rather than the ids or vectors of one.
    static func areSequences(_ items: [JSONValue], _ description: ModelDescription) -> Bool {
        switch description.architecture.input {
        case .tokens: items.first.map { $0.double == nil } ?? false
        case .features:
            items.contains { item in
                if case .array(let elements) = item { elements.first?.isArray == true } else { false }
            }
        }
    }

    /// Reads every item as one sequence. Errors name a lone item as the input itself.
    private func readEach(_ items: [JSONValue]) throws(APIError) -> [PreparedSequence] {
        try collect(items, namesItems: items.count > 1) { item, param throws(APIError) in
            switch description.architecture.input {
            case .tokens(let vocabularySize):
                if case .array(let array) = item, InputReader.looksLikeFeatures(array) { throw notFeatures }
                return try readTokenSequence(item, param, vocabularySize)
            case .features(let size):
                if item.elements?.first(where: { _ in true })?.double != nil { throw singleVector(size) }
                return try readFeatureSequence(item, param, size)
            }
        }
    }

    private func collect(
        _ items: [JSONValue], namesItems: Bool = true, _ read: (JSONValue, String) throws(APIError) -> PreparedSequence
    ) throws(APIError) -> [PreparedSequence] {
        guard items.count <= limits.maxSequences else {
            throw APIError(
                413, "too_many_sequences", param: field,
                "\(items.count) sequences are more than the \(limits.maxSequences) one request may have.")
        }
        try checkPrompts(items)
        var sequences: [PreparedSequence] = []
        var total = 0
        for (position, item) in items.enumerated() {
            if isCancelled() { throw APIError(.cancelled) }
            let sequence = try read(item, namesItems ? "\(field)[\(position)]" : field)
            total += sequence.length
            try checkTotal(total)
            sequences.append(sequence)
        }
        return sequences
    }

    private func checkTotal(_ total: Int) throws(APIError) {
        guard total <= limits.maxTokens else {
            throw APIError(
                413, "too_many_tokens", param: field,
                "The sequences have more than the \(limits.maxTokens) \(unit) one request may have; send fewer at once."
            )
        }
    }

    private var unit: String { description.architecture.input.unit }

    /// Returns how many of `count` tokens or steps the model takes.
    private func kept(_ count: Int, _ param: String) throws(APIError) -> Int {
        guard let maxLength = description.architecture.maxLength, count > maxLength else { return count }
        guard truncate else {
            throw APIError(
                400, "sequence_too_long", param: param,
                "'\(param)' has \(count) \(unit), more than the \(maxLength) this model takes; "
                    + "shorten it, or allow it to be cut with 'truncate': true.")
        }
        return maxLength
    }

    private static func empty(_ param: String, _ what: String) -> APIError {
        APIError(400, "empty_input", param: param, "'\(param)' is empty; \(what).")
    }

    private func wrongKind(_ param: String, _ message: String) -> APIError {
        APIError(422, "wrong_input_kind", param: param, "The model '\(model.name)' \(message)")
    }

    // MARK: Vocabulary models

    private func readTokens(_ value: JSONValue, _ vocabularySize: Int) throws(APIError) -> [PreparedSequence] {
        guard case .array(let array) = value else {
            let sequence = try readTokenSequence(value, field, vocabularySize)
            try checkTotal(sequence.length)
            return [sequence]
        }
        if array.isEmpty { throw InputReader.empty(field, "send one sequence or an array of them") }
        if !InputReader.areSequences(array, description) {
            let sequence = try readIDs(JSONElements(array), field, vocabularySize)
            try checkTotal(sequence.length)
            return [sequence]
        }
        if InputReader.looksLikeFeatures(array) { throw notFeatures }
        return try collect(array) { item, param throws(APIError) in try readTokenSequence(item, param, vocabularySize) }
    }

    /// Refuses a prompt that makes more bytes than a body may have, since the tokenizer reads it once for each text.
    private func checkPrompts(_ items: [JSONValue]) throws(APIError) {
        let bytes = prompt.utf8.count
        guard bytes > 0 else { return }
        let texts = items.count { $0.string != nil || $0.object != nil }
        guard texts <= limits.maxBodyBytes / bytes else {
            throw APIError(
                413, "prompt_too_long", param: "prompt",
                "A prompt of \(bytes) bytes before each of \(texts) texts is more than the \(limits.maxBodyBytes) bytes one "
                    + "request may have; shorten it, or send fewer texts at once.")
        }
    }

    private var notFeatures: APIError {
        wrongKind(field, "reads \(readable); feature vectors are for models with an 'input_size'.")
    }

    private var readable: String { model.tokenizer == nil ? "token ids" : "text or token ids" }

    /// Returns whether an array holds vectors written with fractions, or arrays of vectors: token ids never do.
    private static func looksLikeFeatures(_ array: [JSONValue]) -> Bool {
        guard let count = array.first?.elements?.count, count > 0 else { return false }
        if case .array(let rows)? = array.first, rows.first?.isArray == true { return true }
        var fraction = false
        for row in array {
            if case .numbers(let numbers) = row, numbers.areIntegers { return false }
            guard let row = row.elements else { return false }
            for value in row {
                guard case .number(let number) = value else { return false }
                if number != number.rounded() { fraction = true }
            }
        }
        return fraction
    }

    private func readTokenSequence(
        _ value: JSONValue, _ param: String, _ vocabularySize: Int
    ) throws(APIError) -> PreparedSequence {
        switch value {
        case .string(let text): return try readText(text, pair: nil, param, vocabularySize)
        case .object:
            let fields = try FieldReader(
                value, input.rules, name: "a text pair", param: param, fields: ["text", "pair"])
            var texts: [String] = []
            for name in ["text", "pair"] {
                guard let value = fields[name] else {
                    throw APIError(
                        400, "missing_field", param: "\(param).\(name)",
                        "A text pair is {\"text\": …, \"pair\": …}; '\(name)' is missing.")
                }
                guard let text = value.string else { throw .type("\(param).\(name)", "a string", found: value) }
                texts.append(text)
            }
            return try readText(texts[0], pair: texts[1], param, vocabularySize)
        case .array(let items): return try readIDs(JSONElements(items), param, vocabularySize)
        case .numbers(let numbers):
            if let sequence = try readPackedIDs(numbers, param, vocabularySize) { return sequence }
            return try readIDs(JSONElements(numbers), param, vocabularySize)
        default:
            throw .type(param, "a text, a pair {\"text\", \"pair\"} or an array of token ids", found: value)
        }
    }

    private func readText(
        _ text: String, pair: String?, _ param: String, _ vocabularySize: Int
    ) throws(APIError) -> PreparedSequence {
        guard let processor = model.processor else {
            throw APIError(
                422, "no_tokenizer", param: param,
                "The model '\(model.name)' has no tokenizer and cannot read text; send token ids.")
        }
        let encoding = processor.encode(prompt + text, pair: pair, maxLength: description.architecture.maxLength)
        if encoding.truncated { _ = try kept(encoding.untruncatedCount, param) }
        let tokens = encoding.tokens
        guard !tokens.isEmpty else { throw InputReader.empty(param, "its text has no tokens") }
        for token in tokens where token.id < 0 || Int(token.id) >= vocabularySize {
            throw APIError(
                422, "token_without_embedding", param: param,
                "The tokenizer of '\(model.name)' made token \(token.id), for which the model has no embedding "
                    + "(0 … \(vocabularySize - 1)).")
        }
        if processor.passesTokenTypes, let count = description.architecture.tokenTypes,
            let token = tokens.first(where: { !(0..<count).contains(Int($0.typeID)) })
        {
            throw APIError(
                422, "token_type_without_embedding", param: param,
                "The tokenizer of '\(model.name)' gives a token type \(token.typeID), but the model knows only types 0 … "
                    + "\(count - 1)" + (pair == nil ? "." : "; send one text, not a pair."))
        }
        return PreparedSequence(input: processor.input(tokens), truncated: encoding.truncated, tokens: tokens)
    }

    /// Sets the number of prompt tokens of each text, if pooling leaves them out. They are the tokens of the prompt alone,
    /// without the token at the end.
    private func markingPrompts(_ sequences: [PreparedSequence]) -> [PreparedSequence] {
        guard !prompt.isEmpty, !description.prompts.arePooled, let processor = model.processor,
            sequences.contains(where: { !$0.tokens.isEmpty })
        else { return sequences }
        let alone = processor.encode(prompt, maxLength: description.architecture.maxLength)
        let count = max(0, alone.tokens.count - 1)
        return sequences.map { sequence in
            var sequence = sequence
            if !sequence.tokens.isEmpty { sequence.promptTokens = count }
            return sequence
        }
    }

    /// The end at which ids are cut off, the same as for a text.
    private var side: Truncation.Side { model.tokenizer?.truncationSide ?? .right }

    /// Reads an array of ids; returns `nil` if one of them is invalid, so that `readIDs` reports it.
    private func readPackedIDs(
        _ numbers: JSONNumbers, _ param: String, _ vocabularySize: Int
    ) throws(APIError) -> PreparedSequence? {
        let limit = Float(vocabularySize)
        guard numbers.areIntegers, numbers.floats.allSatisfy({ $0 >= 0 && $0 < limit }) else { return nil }
        let count = try kept(numbers.floats.count, param)
        return PreparedSequence(
            input: .tokens(ids: Truncation.kept(numbers.floats, count, cutting: side).map { Int32($0) }, typeIDs: []),
            truncated: count < numbers.floats.count)
    }

    private func readIDs(
        _ items: JSONElements, _ param: String, _ vocabularySize: Int
    ) throws(APIError) -> PreparedSequence {
        guard items.count > 0 else { throw InputReader.empty(param, "a sequence has at least one token id") }
        let count = try kept(items.count, param)
        var ids: [Int32] = []
        ids.reserveCapacity(items.count)
        for (position, item) in items.enumerated() {
            guard let id = item.int, id >= 0, id < vocabularySize, let narrow = Int32(exactly: id) else {
                throw wrongID(item, "\(param)[\(position)]", vocabularySize)
            }
            ids.append(narrow)
        }
        return PreparedSequence(
            input: .tokens(ids: Array(Truncation.kept(ids, count, cutting: side)), typeIDs: []),
            truncated: count < items.count)
    }

    private func wrongID(_ item: JSONValue, _ param: String, _ vocabularySize: Int) -> APIError {
        guard let number = item.double else { return .type(param, "a token id, a whole number", found: item) }
        guard number == number.rounded() else {
            return APIError(
                400, "invalid_token_id", param: param, "'\(param)' must be a whole number: it is a token id.")
        }
        return APIError(
            400, "token_id_out_of_range", param: param,
            "'\(param)' is \(item.int.map { "\($0)" } ?? "\(number)"), outside the vocabulary of '\(model.name)': 0 … "
                + "\(vocabularySize - 1).")
    }

    // MARK: Feature models

    private func readFeatures(_ value: JSONValue, _ size: Int) throws(APIError) -> [PreparedSequence] {
        guard case .array(let array) = value else {
            if value.string != nil || value.object != nil { throw featuresOnly(field, size) }
            if value.isArray { throw singleVector(size) }
            throw .type(field, "an array of feature vectors", found: value)
        }
        guard let first = array.first else {
            throw InputReader.empty(field, "send one sequence or an array of them")
        }
        if first.string != nil || first.object != nil { throw featuresOnly("\(field)[0]", size) }
        if first.double != nil { throw singleVector(size) }
        if !InputReader.areSequences(array, description) {
            let sequence = try readSteps(JSONElements(array), field, size)
            try checkTotal(sequence.length)
            return [sequence]
        }
        return try collect(array) { item, param throws(APIError) in try readFeatureSequence(item, param, size) }
    }

    private func readFeatureSequence(
        _ item: JSONValue, _ param: String, _ size: Int
    ) throws(APIError) -> PreparedSequence {
        if item.string != nil || item.object != nil { throw featuresOnly(param, size) }
        guard let steps = item.elements else { throw .type(param, "an array of feature vectors", found: item) }
        return try readSteps(steps, param, size)
    }

    private func featuresOnly(_ param: String, _ size: Int) -> APIError {
        wrongKind(param, "reads feature vectors, [steps, \(size)], not text.")
    }

    private func singleVector(_ size: Int) -> APIError {
        APIError(
            400, "invalid_shape", param: field,
            "'\(field)' is a single vector; a sequence is an array of vectors, [[…], …], each of \(size) numbers.")
    }

    private func readSteps(_ steps: JSONElements, _ param: String, _ size: Int) throws(APIError) -> PreparedSequence {
        guard steps.count > 0 else { throw InputReader.empty(param, "a sequence has at least one step") }
        let count = try kept(steps.count, param)
        try checkTotal(count)
        let values = try FloatRows.read(
            steps, param, columns: size, code: "wrong_feature_width", what: "the model's input_size", rows: count)
        return PreparedSequence(input: .features(values, steps: count), truncated: count < steps.count)
    }
}
