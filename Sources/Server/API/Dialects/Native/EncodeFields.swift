import JSON
import Models

/// The form of the numbers in a JSON response.
package enum EncodingFormat: String, CaseIterable, Sendable { case float, base64 }

/// The body of `POST /v1/encode`.
struct EncodeFields {
    static let names = [
        "model", "input", "output", "layer", "pooling", "normalize", "dimensions", "truncate", "initial_state",
        "return_state", "encoding_format", "prompt", "prompt_name",
    ]

    let call: EncodeCall
    let encodingFormat: EncodingFormat

    init(_ body: JSONValue) throws(APIError) {
        let fields = try FieldReader(body, Dialect.native.fields, name: "/v1/encode", fields: EncodeFields.names)
        guard let input = fields["input"] else {
            throw APIError(400, "missing_field", param: "input", "'input' is required: a sequence or an array of them.")
        }
        var call = EncodeCall(.json(input))
        call.model = try fields.string("model")
        call.outputs = try EncodeFields.outputs(fields["output"])
        call.layer = try fields.integer("layer") ?? -1
        call.pooling = try fields.option("pooling")
        call.normalize = try fields.bool("normalize")
        call.dimensions = try fields.integer("dimensions")
        call.truncate = try fields.bool("truncate") ?? true
        call.initialState = fields["initial_state"]
        call.returnState = try fields.bool("return_state") ?? false
        encodingFormat = try fields.option("encoding_format") ?? .float
        let prompt = try fields.string("prompt")
        let promptName = try fields.string("prompt_name")
        if prompt != nil, promptName != nil {
            throw .value("prompt", "'prompt' is a text and 'prompt_name' the name of one; send one of them.")
        }
        call.prompt = prompt.map { .text($0) } ?? promptName.map { .named($0) } ?? .standard
        self.call = call
    }

    private static func outputs(_ value: JSONValue?) throws(APIError) -> [EncodeOutput] {
        guard let value else { return [] }
        guard let array = value.elements else {
            if value.string == nil { throw .type("output", "a string or an array of strings", found: value) }
            return [try FieldReader.option(value, "output")]
        }
        guard array.count > 0 else {
            throw .value("output", "'output' is an empty array; name one or more of embedding, states, logits, sparse.")
        }
        var outputs: [EncodeOutput] = []
        for (position, item) in array.enumerated() {
            let output: EncodeOutput = try FieldReader.option(item, "output[\(position)]")
            if outputs.contains(output) {
                throw .value("output[\(position)]", "'output' names \(output.rawValue) more than once.")
            }
            outputs.append(output)
        }
        return outputs
    }
}
