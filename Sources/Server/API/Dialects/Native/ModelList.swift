import HTTP
import JSON
import Models

/// The responses of `/v1/models` and `/v1/models/{name}`: objects that OpenAI's clients know, with the properties against
/// which requests are checked.
package struct ModelList {
    let models: ModelSet

    func list() -> HTTPResponse {
        var json = JSONWriter(capacity: 1024)
        json.object { json in
            json.key("object")
            json.string("list")
            json.key("data")
            json.array { json in for model in models.models { json.value(.object(ModelList.members(of: model))) } }
        }
        return .json(json.bytes)
    }

    func one(_ name: String) throws(APIError) -> HTTPResponse {
        let (_, model) = try models.find(name, param: nil)
        var json = JSONWriter(capacity: 1024)
        json.value(.object(ModelList.members(of: model)))
        return .json(json.bytes)
    }

    /// The members of a model's object, for `encoderd inspect --json` too.
    package static func members(of model: Model) -> JSONObject {
        let description = model.description
        let (architecture, outputs) = (description.architecture, description.outputs)
        var members: JSONObject = ["id": .string(model.name), "object": .string("model")]
        members.append("family", .string(architecture.family))
        switch architecture.input {
        case .tokens(let size):
            members.append("input", .string("tokens"))
            members.append("vocabulary_size", .integer(size))
            members.append("tokenizer", model.tokenizer.map { .string($0.summary) } ?? .null)
        case .features(let size):
            members.append("input", .string("features"))
            members.append("input_size", .integer(size))
        }
        members.append("hidden_size", .integer(architecture.hiddenSize))
        members.append("embedding_size", .integer(outputs.embeddingSize))
        members.append("layers", .integer(architecture.layers))
        members.append("heads", .integer(architecture.heads))
        members.append("directions", .integer(architecture.directions))
        members.append("max_length", architecture.maxLength.map { .integer($0) } ?? .null)
        // Several names are joined as sentence-transformers' Pooling.get_pooling_mode_str joins them.
        let pooling = outputs.pooling.map(\.rawValue)
        members.append("pooling", .string(pooling.joined(separator: "+")))
        members.append("normalize", .bool(outputs.normalize))
        members.append("logits_size", outputs.logitsSize.map { .integer($0) } ?? .null)
        members.append("logits_per_token", .bool(outputs.logitsPerToken))
        members.append("labels", outputs.labels.map { .array($0.map { .string($0) }) } ?? .null)
        members.append("default_output", .string(outputs.defaultOutput.rawValue))
        members.append("sparse", .bool(outputs.sparse != nil))
        members.append("prompts", .array(description.prompts.texts.map { .string($0.name) }))
        members.append("default_prompt", description.prompts.defaultName.map { .string($0) } ?? .null)
        members.append("attention_methods", .array(description.attribution.methods.map { .string($0.rawValue) }))
        if let shape = architecture.stateShape {
            var state: JSONObject = ["hidden": .array([.integer(shape.rows), .integer(shape.hidden)])]
            if shape.cell > 0 { state.append("cell", .array([.integer(shape.rows), .integer(shape.cell)])) }
            members.append("state_shape", .object(state))
        }
        members.append("parameters", .integer(architecture.parameters))
        members.append("precision", .string(description.runtime.precision))
        members.append("kernel", .string(description.runtime.instructionSet.rawValue))
        return members
    }
}
