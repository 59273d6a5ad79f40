import HTTP
import JSON
import Models

/// GET /v1/models and /v1/models/{name}: a list as OpenAI's clients expect it, with what requests are checked against.
struct ModelsRoute {
    let models: ModelSet

    func list() -> HTTPResponse {
        var json = JSONWriter(capacity: 1024)
        json.object { json in
            json.key("object")
            json.string("list")
            json.key("data")
            json.array { json in for model in models.models { write(model, &json) } }
        }
        return HTTPResponse(
            status: 200, headers: ["Content-Type": "application/json"], body: [ArraySegment(json.bytes)])
    }

    func one(_ name: String) throws(APIError) -> HTTPResponse {
        let (_, model) = try models.find(name, param: nil)
        var json = JSONWriter(capacity: 1024)
        write(model, &json)
        return HTTPResponse(
            status: 200, headers: ["Content-Type": "application/json"], body: [ArraySegment(json.bytes)])
    }

    private func write(_ model: Model, _ json: inout JSONWriter) {
        let description = model.description
        var members: JSONObject = ["id": .string(model.name), "object": .string("model")]
        members.append("family", .string(description.family))
        switch description.input {
        case .tokens(let size):
            members.append("input", .string("tokens"))
            members.append("vocabulary_size", .integer(size))
            members.append("tokenizer", model.tokenizer.map { .string($0.summary) } ?? .null)
        case .features(let size):
            members.append("input", .string("features"))
            members.append("input_size", .integer(size))
        }
        members.append("hidden_size", .integer(description.hiddenSize))
        members.append("embedding_size", .integer(description.embeddingSize))
        members.append("layers", .integer(description.layers))
        members.append("heads", .integer(description.heads))
        members.append("directions", .integer(description.directions))
        members.append("max_length", description.maxLength.map { .integer($0) } ?? .null)
        // Several as sentence-transformers' Pooling.get_pooling_mode_str writes them.
        let pooling = ([description.pooling] + description.morePooling).map(\.rawValue)
        members.append("pooling", .string(pooling.joined(separator: "+")))
        members.append("normalize", .bool(description.normalize))
        members.append("logits_size", description.logitsSize.map { .integer($0) } ?? .null)
        members.append("logits_per_token", .bool(description.logitsPerToken))
        members.append("labels", description.labels.map { .array($0.map { .string($0) }) } ?? .null)
        members.append(
            "default_output",
            .string(
                description.answersLogits ? "logits" : description.answersSparse ? "sparse" : "embedding"))
        members.append("sparse", .bool(description.sparse != nil))
        members.append("prompts", .array(description.prompts.map { .string($0.name) }))
        members.append("default_prompt", description.defaultPrompt.map { .string($0) } ?? .null)
        members.append("attention_methods", .array(description.attentionMethods.map { .string($0.rawValue) }))
        if let shape = description.stateShape {
            var state: JSONObject = ["hidden": .array([.integer(shape.rows), .integer(shape.hidden)])]
            if shape.cell > 0 { state.append("cell", .array([.integer(shape.rows), .integer(shape.cell)])) }
            members.append("state_shape", .object(state))
        }
        members.append("parameters", .integer(description.parameters))
        members.append("precision", .string(description.precision))
        members.append("kernel", .string(description.instructionSet.rawValue))
        json.value(.object(members))
    }
}
