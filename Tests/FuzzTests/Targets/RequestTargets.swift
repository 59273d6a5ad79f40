import Foundation
import JSON
import KernelSelection
import Models

@testable import HTTP
@testable import Server

/// Fuzz target for request bodies and queries of the API, from the request to the complete response.
enum RequestTargets {
    static let all = [FuzzTarget(name: "requests", maxLength: 512, run: requests)]

    private static func model(_ name: String) -> Model? {
        try? Model.load(directory: Folder.reference + "/" + name, name: name, kernels: KernelSelection.select(nil))
    }

    private static let models = [
        model("sentence/cross-types"), model("sentence/splade"), model("sentence/dense"), model("families/bert-tokens"),
        model("families/gemma3"), model("recurrent/lstm-proj"), model("recurrent/gru-ids"), model("recurrent/rnn-head"),
        model("transformer/self-cosine"), model("transformer/plain"),
    ].compactMap { $0 }

    private static let bodies = [
        #"{"model": "m", "input": "a text", "output": ["embedding", "states"], "layer": 1, "pooling": "max"}"#,
        #"{"input": ["one", "another text", {"text": "a query", "pair": "a passage"}], "normalize": false}"#,
        #"{"input": [[1, 2, 3], [4]], "output": "logits", "truncate": false, "dimensions": 3}"#,
        #"{"input": [3, 1, 2], "output": "sparse", "encoding_format": "base64"}"#,
        #"{"input": [[0.1, -2.0, 0.3], [1, 2, 3e-3]], "output": "states", "layer": -1, "return_state": true}"#,
        #"{"input": [[[0.1, 0.2, 0.3]]], "initial_state": {"hidden": [[0.5, 1, 2, 3]], "cell": [[1, 2, 3, 4]]}}"#,
        #"{"input": "x", "prompt_name": "query"}"#, #"{"input": "x", "prompt": "find: "}"#,
        #"{"input": "some words to look at", "layers": [0, -1], "heads": 1, "queries": [0, 2], "head_reduce": "mean"}"#,
        #"{"input": [1, 2, 3, 4], "layers": "all", "method": "raw", "special_tokens": "renormalize", "dtype": "f16"}"#,
        #"{"input": [1, 2, 3, 4, 5], "select": {"top_k": 2}, "format": "json", "method": "write_contribution"}"#,
        #"{"input": "a b c", "select": {"mass": 0.5}, "special_tokens": "hide", "format": "svg"}"#,
        #"{"input": [[1, 2, 3], [4, 5, 6]], "method": "jacobian", "format": "png", "truncate": true}"#,
    ].compactMap { try? JSONValue(parsing: Array($0.utf8)) }

    private static let pool = bodies.flatMap(JSONEdits.nodes)
    private static let accepts: [String?] = [
        nil, "*/*", "application/json", "application/x-npy", "application/vnd.safetensors", "image/svg+xml",
        "image/png",
        "text/html;q=0.9, image/*;q=0.95,,;q", "image/svg+xml;q=x, application/x-npy;q=1e9",
    ]

    /// Runs one request, and checks that it succeeds or fails with a 4xx status and a message.
    ///
    /// The input selects the model, the route and the `Accept` header. It also selects one of three kinds of request: a
    /// GET with a query, a POST with arbitrary bytes, or a POST with an edited JSON body.
    private static func requests(_ input: UnsafeRawBufferPointer) throws {
        try check(models.count == 10 && bodies.count == 13, "\(models.count) models, \(bodies.count) bodies")
        var choices = Choices(input)
        let model = models[choices.byte() % models.count]
        let kind = choices.byte()
        let accept = accepts[choices.byte() % accepts.count]
        var http = HTTPRequest(method: "POST", path: "/", headers: ["Content-Type": "application/json"])
        if let accept { http.headers.add("Accept", accept) }
        switch kind & 3 {
        case 0:
            http.method = "GET"
            http.query = String(decoding: choices.rest, as: UTF8.self)
        case 1: http.body = Array(choices.rest)
        default:
            let base = bodies[choices.byte() % bodies.count]
            http.body = JSONEdits.text(JSONEdits.apply(base, &choices, pool: pool))
        }
        http.headers.add("Content-Length", String(http.body.count))
        let answer: ResponseContent
        do throws(APIError) {
            let call =
                try kind & 3 == 0 || kind & 4 == 0
                ? NativeEndpoints.attention(http, limits) : NativeEndpoints.encode(http, limits)
            answer = try content(call, model)
        } catch {
            return try check((400..<500).contains(error.status) && !error.message.isEmpty, "\(error)")
        }
        let response = answer.response()
        var bytes: [UInt8] = []
        for segment in response.body { segment.withBytes { bytes += $0 } }
        if response.headers["Content-Type"] == "application/json" {
            try check((try? JSONValue(parsing: bytes)) != nil, "an answer that is not JSON")
        }
    }

    /// Limits low enough to compute every input quickly.
    private static var limits: CallLimits {
        var limits = RequestLimits()
        limits.maxTokens = 24
        limits.maxSequences = 6
        return CallLimits(request: limits)
    }

    private static func content(_ call: Call, _ model: Model) throws(APIError) -> ResponseContent {
        let plan = try call.plan(for: model, limits: limits)
        return try plan.results(model.network.forward(plan.requests, scratch: Scratch()))
    }
}
