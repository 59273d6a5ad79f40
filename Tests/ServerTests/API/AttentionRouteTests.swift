import CZlib
import Foundation
import JSON
import Models
import Testing

@testable import HTTP
@testable import Server
@testable import Tokenizers

#if canImport(FoundationXML)
import FoundationXML
#endif

/// A network whose raw maps are a known function of the place, so that every number of an answer can be told.
private struct KnownNetwork: Network {
    let description: ModelDescription

    /// Row q of every map: key k has (k + 1 + head) ÷ the row's sum.
    func multiplications(length: Int, outputs: OutputSelection) -> Double { Double(length) }

    func forward(_ batch: [SequenceRequest], scratch: Scratch) -> [SequenceResult] {
        batch.map { request in
            var result = SequenceResult()
            guard let wanted = request.outputs.attention else { return result }
            let columns = wanted.method.columns(length: request.length)
            let queries = wanted.queries ?? Array(0..<request.length)
            let maps = wanted.method.hasLayers ? wanted.layers.flatMap { _ in wanted.heads } : [0]
            var weights: [Float] = []
            for head in maps {
                let sum = (1...columns).reduce(0) { $0 + $1 + head }
                for _ in queries { weights += (1...columns).map { Float($0 + head) / Float(sum) } }
            }
            result.attention = AttentionMaps(
                axes: wanted.method.axes,
                shape: (wanted.method.hasLayers ? [wanted.layers.count, wanted.heads.count] : []) + [
                    queries.count, columns,
                ],
                weights: weights, reconstructionMaxError: wanted.method == .raw ? 0 : nil,
                rowSumMaxError: wanted.method == .jacobian ? nil : 0)
            return result
        }
    }
}

/// A tokenizer that makes one token of each word, between [CLS] and [SEP].
private struct WordTokenizer: Tokenizer {
    let truncationSide = Truncation.Side.right
    let summary = "words"
    let vocabularySize = 1000
    func encode(_ text: String, pair: String?, maxLength: Int?) -> Encoding {
        var tokens = [Token(id: 1, text: "[CLS]", start: 0, end: 0, special: true)]
        var place = 0
        for word in text.split(separator: " ", omittingEmptySubsequences: true) {
            tokens.append(Token(id: 5, text: String(word), start: place, end: place + word.unicodeScalars.count))
            place += word.unicodeScalars.count + 1
        }
        tokens.append(Token(id: 2, text: "[SEP]", start: 0, end: 0, special: true))
        let count = tokens.count
        let kept = Array(tokens.prefix(maxLength ?? count))
        return Encoding(tokens: kept, truncated: kept.count < count, untruncatedCount: count)
    }
    func decode(_ ids: [Int32], skipSpecialTokens: Bool) -> String {
        ids.compactMap { token($0) }.joined(separator: " ")
    }
    func token(_ id: Int32) -> String? { "t\(id)" }
    func isSpecial(_ id: Int32) -> Bool { id < 3 }
}

private func model(
    layers: Int = 2, heads: Int = 3, directions: Int = 0, input: InputKind = .tokens(vocabularySize: 1000),
    methods: [AttentionMethod] = [.raw], tokenizer: Bool = true, maxLength: Int? = 600,
    maxLengths: [AttentionMethod: Int] = [:]
) -> Model {
    Model(
        name: "known", directory: "",
        network: KnownNetwork(
            description: ModelDescription(
                architecture: .init(
                    family: methods == [.raw] ? "bert" : "gru", input: input,
                    stateSizes: Array(repeating: 4, count: layers + 1), heads: heads, directions: directions,
                    maxLength: maxLength, parameters: 1),
                outputs: .init(pooledWidth: 4, pooling: [.mean], normalize: false),
                attribution: .init(methods: methods, maxLengths: maxLengths),
                runtime: .init(precision: "f32", instructionSet: .avx2))),
        tokenizer: tokenizer ? WordTokenizer() : nil)
}

private let bert = model()
private let gru = model(
    heads: 0, directions: 2, input: .features(size: 2), methods: [.writeContribution, .jacobian], tokenizer: false,
    maxLength: nil, maxLengths: [.jacobian: 3])
private let idsOnly = model(tokenizer: false, maxLength: 4)

private func answer(
    _ http: HTTPRequest, _ model: Model, _ limits: AttentionLimits = AttentionLimits()
)
    throws(APIError) -> HTTPResponse
{
    let limits = CallLimits(attention: limits)
    let plan = try NativeEndpoints.attention(http, limits).plan(for: model, limits: limits)
    return try plan.results(model.network.forward(plan.requests, scratch: Scratch())).response()
}

private func post(_ body: String, headers: HTTPHeaders = ["Content-Type": "application/json"]) -> HTTPRequest {
    var headers = headers
    headers.set("Content-Length", String(body.utf8.count))
    return HTTPRequest(method: "POST", path: "/v1/attention", headers: headers, body: Array(body.utf8))
}

private func get(_ query: String?, headers: HTTPHeaders = [:]) -> HTTPRequest {
    HTTPRequest(method: "GET", path: "/v1/attention", query: query, headers: headers)
}

private func bytes(_ response: HTTPResponse) -> [UInt8] {
    var all: [UInt8] = []
    for segment in response.body { segment.withBytes { all += Array($0) } }
    return all
}

private func json(_ response: HTTPResponse) throws -> JSONValue { try JSONValue(parsing: bytes(response)) }

private func parsed(_ text: String) throws -> JSONValue { try JSONValue(parsing: Array(text.utf8)) }

private struct Refusal: Sendable, CustomTestStringConvertible {
    let http: HTTPRequest
    let model: Model
    let status: Int
    let code: String
    let param: String?
    var testDescription: String { "\(http.query ?? String(decoding: http.body, as: UTF8.self))" }

    init(_ http: HTTPRequest, _ model: Model, _ status: Int, _ code: String, _ param: String?) {
        self.http = http
        self.model = model
        self.status = status
        self.code = code
        self.param = param
    }
}

private let refusals: [Refusal] = [
    Refusal(post(""), bert, 400, "invalid_json", nil),
    Refusal(post(#"{"input": "a""#), bert, 400, "invalid_json", nil),
    Refusal(post(#"{"input": "a"}"#, headers: [:]), bert, 415, "unsupported_media_type", "Content-Type"),
    Refusal(post("[]"), bert, 400, "invalid_type", nil),
    Refusal(post("{}"), bert, 400, "missing_field", "input"),
    Refusal(post(#"{"input": "a", "layer": 1}"#), bert, 400, "unknown_field", "layer"),
    Refusal(post(#"{"input": "a", "model": 3}"#), bert, 400, "invalid_type", "model"),
    Refusal(post(#"{"input": 7}"#), bert, 400, "invalid_type", "input"),
    Refusal(post(#"{"input": null}"#), bert, 400, "invalid_type", "input"),
    Refusal(post(#"{"input": []}"#), bert, 400, "empty_input", "input"),
    Refusal(post(#"{"input": ["a", "b"]}"#), bert, 400, "invalid_value", "input"),
    Refusal(post(#"{"input": [[1], [2]]}"#), bert, 400, "invalid_value", "input"),
    Refusal(post(#"{"input": [1, 1000]}"#), bert, 400, "token_id_out_of_range", "input[1]"),
    Refusal(post(#"{"input": [1, -1]}"#), bert, 400, "token_id_out_of_range", "input[1]"),
    Refusal(post(#"{"input": [1, 1.5]}"#), bert, 400, "invalid_token_id", "input[1]"),
    Refusal(post(#"{"input": {"pair": "a"}}"#), bert, 400, "missing_field", "input.text"),
    Refusal(post(#"{"input": {"text": "a", "pear": "a"}}"#), bert, 400, "unknown_field", "input.pear"),
    Refusal(post(#"{"input": "a", "truncate": "no"}"#), bert, 400, "invalid_type", "truncate"),
    Refusal(post(#"{"input": [1,1,1,1,1], "truncate": false}"#), idsOnly, 400, "sequence_too_long", "input"),
    Refusal(post(#"{"input": "a", "layers": 2}"#), bert, 400, "invalid_value", "layers"),
    Refusal(post(#"{"input": "a", "layers": -3}"#), bert, 400, "invalid_value", "layers"),
    Refusal(post(#"{"input": "a", "layers": []}"#), bert, 400, "invalid_value", "layers"),
    Refusal(post(#"{"input": "a", "layers": [0, -2]}"#), bert, 400, "invalid_value", "layers"),
    Refusal(post(#"{"input": "a", "layers": "last"}"#), bert, 400, "invalid_value", "layers"),
    Refusal(post(#"{"input": "a", "layers": 1.5}"#), bert, 400, "invalid_type", "layers"),
    Refusal(post(#"{"input": "a", "heads": [0, "1"]}"#), bert, 400, "invalid_type", "heads[1]"),
    Refusal(post(#"{"input": "a", "heads": 3}"#), bert, 400, "invalid_value", "heads"),
    Refusal(post(#"{"input": "a", "heads": -9223372036854775808}"#), bert, 400, "invalid_value", "heads"),
    Refusal(post(#"{"input": "a", "queries": [3]}"#), bert, 400, "invalid_value", "queries"),
    Refusal(post(#"{"input": "a", "head_reduce": "sum"}"#), bert, 400, "invalid_value", "head_reduce"),
    Refusal(post(#"{"input": "a", "method": "magic"}"#), bert, 400, "invalid_value", "method"),
    Refusal(post(#"{"input": "a", "method": "jacobian"}"#), bert, 422, "method_not_supported", "method"),
    Refusal(post(#"{"input": [[1, 2]], "method": "raw"}"#), gru, 422, "method_not_supported", "method"),
    Refusal(post(#"{"input": [[1, 2]], "method": "jacobian", "layers": 0}"#), gru, 422, "method_has_no_axis", "layers"),
    Refusal(post(#"{"input": [[1, 2]], "method": "jacobian", "heads": 0}"#), gru, 422, "method_has_no_axis", "heads"),
    Refusal(
        post(#"{"input": [[1, 2], [1, 2], [1, 2], [1, 2]], "method": "jacobian"}"#), gru, 413, "sequence_too_long",
        "input"),
    Refusal(post(#"{"input": [[1, 2]], "head_reduce": "mean"}"#), gru, 422, "method_has_no_axis", "head_reduce"),
    Refusal(post(#"{"input": "text"}"#), gru, 422, "wrong_input_kind", "input"),
    Refusal(post(#"{"input": [[1, 2], [3]]}"#), gru, 400, "wrong_feature_width", "input[1]"),
    Refusal(post(#"{"input": [[1, 2], [3, "x"]]}"#), gru, 400, "invalid_type", "input[1][1]"),
    Refusal(post(#"{"input": [[1, 1e39]]}"#), gru, 400, "number_out_of_range", "input[0][1]"),
    Refusal(post(#"{"input": [[[1, 2]], [[3, 4]]]}"#), gru, 400, "invalid_value", "input"),
    Refusal(post(#"{"input": "a", "special_tokens": "drop"}"#), bert, 400, "invalid_value", "special_tokens"),
    Refusal(post(#"{"input": "a", "select": 16}"#), bert, 400, "invalid_type", "select"),
    Refusal(post(#"{"input": "a", "select": {}}"#), bert, 400, "invalid_value", "select"),
    Refusal(post(#"{"input": "a", "select": {"top_k": 1, "mass": 0.5}}"#), bert, 400, "invalid_value", "select"),
    Refusal(post(#"{"input": "a", "select": {"top_k": 0}}"#), bert, 400, "invalid_value", "select.top_k"),
    Refusal(post(#"{"input": "a", "select": {"mass": 1.01}}"#), bert, 400, "invalid_value", "select.mass"),
    Refusal(post(#"{"input": "a", "select": {"mass": "1"}}"#), bert, 400, "invalid_type", "select.mass"),
    Refusal(post(#"{"input": "a", "select": {"topk": 3}}"#), bert, 400, "unknown_field", "select.topk"),
    Refusal(post(#"{"input": "a", "select": {"top_k": 3}, "format": "npy"}"#), bert, 400, "invalid_value", "select"),
    Refusal(post(#"{"input": "a", "format": "jpeg"}"#), bert, 400, "invalid_value", "format"),
    Refusal(post(#"{"input": "a", "dtype": "f16"}"#), bert, 400, "invalid_value", "dtype"),
    Refusal(post(#"{"input": "a", "dtype": "f64", "format": "npy"}"#), bert, 400, "invalid_value", "dtype"),
    Refusal(get(nil), bert, 400, "missing_field", "input"),
    Refusal(get("input=a&input=b"), bert, 400, "invalid_value", "input"),
    Refusal(get("input=a&color=red"), bert, 400, "unknown_field", "color"),
    Refusal(get("input=%zz"), bert, 400, "invalid_query", "input"),
    Refusal(get("input=a%"), bert, 400, "invalid_query", "input"),
    Refusal(get("input=%ff"), bert, 400, "invalid_query", "input"),
    Refusal(get("input=a&layers=0,x"), bert, 400, "invalid_value", "layers"),
    Refusal(get("input=a&layers="), bert, 400, "invalid_value", "layers"),
    Refusal(get("input=a&top_k=2&mass=0.5"), bert, 400, "invalid_value", "mass"),
    Refusal(get("input=a&truncate=yes"), bert, 400, "invalid_value", "truncate"),
    Refusal(get("input=hello"), gru, 400, "invalid_value", "input"),
]

/// Hands the answer to the test that waits for it.
private struct WaitingWriter: ResponseWriter {
    let continuation: CheckedContinuation<HTTPResponse, Never>
    let isCancelled = false
    func respond(_ response: HTTPResponse) { continuation.resume(returning: response) }
}

@Suite struct AttentionRouteTests {
    /// The memory of a streamed response: all weights, or only the selected ones.
    @Test func countsWhatAnAnswerHolds() throws {
        for (select, bytes) in [
            ("", 4 * 2 * 3 * 12 * 12), (", \"select\": {\"top_k\": 2}", 2 * 3 * 12 * (2 * 12 + 8 + 4) + 8),
        ] {
            let body = "{\"input\": \"a b c d e f g h i j\"\(select)}"
            let call = try AttentionFields(parsed(body), accept: nil).call
            let parts = try AttentionResponse(call.run(on: bert)).json()
            #expect(parts.retained == bytes)
            #expect(try JSONValue(parsing: parts.bytes())["shape"]?.array?.count == 4)
        }
    }

    @Test(arguments: [
        (get("model=known&input=a+b&layers=0&heads=0&queries=0"), 200), (get("model=other&input=a"), 404),
        (post(#"{"input": "a", "heads": 9}"#), 400), (HTTPRequest(method: "PUT", path: "/v1/attention"), 405),
    ])
    func theRouteIsServedThroughTheQueue(_ http: HTTPRequest, _ status: Int) async throws {
        let engine = try InferenceEngine(networks: [bert.network], threads: 1)
        defer { engine.stop() }
        let handler = APIHandler(metrics: Metrics())
        handler.serve([bert], engine: engine)
        let response = await withCheckedContinuation { handler.handle(http, WaitingWriter(continuation: $0)) }
        #expect(response.status == status)
        #expect(response.headers["Server-Timing"] != nil)
        if status == 200 {
            #expect(try json(response)["attention"] == (try parsed("[[[[0.1, 0.2, 0.3, 0.4]]]]")))
        } else {
            #expect(try json(response)["error"]?["message"]?.string?.isEmpty == false)
        }
    }

    /// RFC 9110, 5.3: several lines of a list are one.
    @Test func acceptMayHaveSeveralLines() async throws {
        let engine = try InferenceEngine(networks: [bert.network], threads: 1)
        defer { engine.stop() }
        let handler = APIHandler(metrics: Metrics())
        handler.serve([bert], engine: engine)
        var headers: HTTPHeaders = ["Accept": "text/html"]
        headers.add("Accept", "image/png;q=0.5, image/svg+xml")
        let http = get("input=a", headers: headers)
        let response = await withCheckedContinuation { handler.handle(http, WaitingWriter(continuation: $0)) }
        #expect(response.headers["Content-Type"] == "image/svg+xml")
    }

    @Test(arguments: refusals)
    fileprivate func malformedRequestsAreRefused(_ refusal: Refusal) throws {
        let error = #expect(throws: APIError.self) { try answer(refusal.http, refusal.model) }
        #expect(error?.status == refusal.status)
        #expect(error?.code == refusal.code)
        #expect(error?.param == refusal.param)
        #expect(error?.message.isEmpty == false)
    }

    @Test(arguments: [
        #"{"input": "a", "TEXT": 1}"#, #"{"input": "a", "method": "TEXT"}"#, #"{"input": "a", "format": "TEXT"}"#,
        #"{"input": "a", "layers": "TEXT"}"#, #"{"input": "a", "select": {"TEXT": 1}}"#,
    ])
    func longTextsAreNotEchoed(_ body: String) throws {
        for text in longTexts {
            let error = #expect(throws: APIError.self) { try answer(post(body.replacing("TEXT", with: text)), bert) }
            #expect(isShort(error?.message, 600) && isShort(error?.param, 201))
        }
    }

    @Test func longNamesOfAQueryAreNotEchoed() throws {
        for text in longTexts {
            let query = try #require(text.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
            for query in ["input=a&\(query)=1", "\(query)=1&\(query)=2", "\(query)=%"] {
                let error = #expect(throws: APIError.self) { try answer(get(query), bert) }
                #expect(isShort(error?.message, 600) && isShort(error?.param, 201), "\(error?.code ?? "")")
            }
        }
    }

    /// The input may be megabytes and would be kept until the response.
    @Test func theResultsKeepNoInput() throws {
        let call = try AttentionFields(parsed(#"{"input": "a b", "layers": 0}"#), accept: nil).call
        let results = try call.run(on: bert)
        #expect(results.plan.options == call.options && results.plan.options.layers == .some([0]))
        #expect(results.tokens.count == 4)
    }

    @Test func theAnswerCarriesEverythingTheContractNames() throws {
        let value = try json(answer(post(#"{"input": "hé y", "layers": -1, "heads": [2, 0]}"#), bert))
        #expect(
            value.object?.keys == [
                "model", "method", "axes", "shape", "layers", "heads", "tokens", "attention", "summary", "checks",
                "note",
            ])
        #expect(value["axes"] == (try parsed(#"["layer", "head", "query", "key"]"#)))
        #expect(value["shape"] == (try parsed("[1, 2, 4, 4]")))
        #expect(value["layers"] == (try parsed("[1]")))
        #expect(value["heads"] == (try parsed("[2, 0]")))
        #expect(
            value["tokens"]?.array?[1]
                == (try parsed(#"{"text": "hé", "id": 5, "start": 0, "end": 2, "special": false}"#)))
        // Head 0: (1, 2, 3, 4) ÷ 10.
        #expect(value["attention"]?.array?[0].array?[1].array?[3] == (try parsed("[0.1, 0.2, 0.3, 0.4]")))
        let checks =
            #"{"row_sum_max_error": 0.0, "reconstruction_max_error": 0.0, "precision": "f32", "kernel": "avx2"}"#
        #expect(value["checks"] == (try parsed(checks)))
        #expect(value["summary"]?["entropy"]?.array?[0].array?.count == 2)
    }

    @Test(arguments: [
        (#"{"input": "a b", "queries": [3, 1], "heads": 0, "layers": 0}"#, "[1,1,2,4]", "[3,1]", String?.none),
        (
            #"{"input": "a b", "queries": [3, 1], "special_tokens": "renormalize", "head_reduce": "mean"}"#, "[2,1,2]",
            "[1]", "[1,2]"
        ),
    ])
    func rowsAreThoseAskedFor(_ body: String, _ shape: String, _ queries: String, _ keys: String?) throws {
        let value = try json(answer(post(body), bert))
        #expect(value["shape"] == (try parsed(shape)))
        #expect(value["queries"] == (try parsed(queries)))
        #expect(value["keys"] == (try keys.map(parsed)))
        #expect(value["tokens"]?.array?.count == value["shape"]?.array?.last?.int)
    }

    @Test func aSelectionIsSparse() throws {
        let value = try json(answer(get("input=a+b&layers=0&heads=0&queries=0&top_k=2"), bert))
        #expect(value["attention"] == nil)
        #expect(value["sparse"]?["index"] == (try parsed("[[[[3, 2]]]]")))
        #expect(value["sparse"]?["value"] == (try parsed("[[[[0.4, 0.3]]]]")))
        #expect(
            value["sparse"]?["row_residual"]?.array?[0].array?[0].array?[0].double.map { abs($0 - 0.3) < 1e-6 } == true)
    }

    @Test func recurrentMapsNameDirectionsAndTheInitialState() throws {
        let value = try json(answer(get("input=%5B%5B1,2%5D,%5B3,4%5D%5D&heads=1"), gru))
        #expect(value["method"]?.string == "write_contribution")
        #expect(value["shape"] == (try parsed("[2, 1, 2, 3]")))
        #expect(value["directions"] == (try parsed("[1]")))
        #expect(value["heads"] == nil)
        #expect(value["keys"] == (try parsed("[-1, 0, 1]")))
        #expect(value["tokens"]?.array?[1] == (try parsed(#"{"text": "1", "start": 0, "end": 0, "special": false}"#)))
        let jacobian = try json(answer(post(#"{"input": [[1, 2]], "method": "jacobian"}"#), gru))
        #expect(jacobian["axes"] == (try parsed(#"["query", "key"]"#)))
        #expect(jacobian["layers"] == nil)
        #expect(jacobian["summary"] == nil)
        #expect(jacobian["checks"]?["row_sum_max_error"] == .null)
    }

    @Test(arguments: [
        (String?.none, "application/json"), ("*/*", "application/json"), ("text/html", "application/json"),
        ("application/x-npy", "application/x-npy"),
        ("application/json;q=0.5, application/vnd.safetensors", "application/vnd.safetensors"),
        ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", "image/svg+xml"),
        ("image/png", "image/png"), ("image/png;q=0, */*", "application/json"),
    ])
    func theFormatIsNegotiated(_ accept: String?, _ type: String) throws {
        let headers: HTTPHeaders = accept.map { ["Accept": $0] } ?? [:]
        #expect(try answer(get("input=a", headers: headers), bert).headers["Content-Type"] == type)
        #expect(
            try answer(get("input=a&format=npy", headers: headers), bert).headers["Content-Type"] == "application/x-npy"
        )
    }

    @Test(arguments: [
        ("json", "too_many_weights"), ("npy", String?.none), ("svg", "picture_too_large"), ("png", "picture_too_large"),
        ("json&top_k=1", nil), ("json&mass=0.9", "too_many_weights"), ("json&queries=0", nil),
        ("json&head_reduce=max", nil),
    ])
    func largeAnswersAreRefusedOnlyAsTheyHaveToBe(_ format: String, _ code: String?) throws {
        var limits = AttentionLimits()
        limits.jsonWeights = 60
        limits.vectorCells = 60
        limits.pixels = 1000
        // 2 layers of 3 heads of 4 × 4: 96.
        let http = get("input=a+b&format=\(format)")
        do {
            _ = try answer(http, bert, limits)
            #expect(code == nil)
        } catch {
            #expect(error.status == 413)
            #expect(error.code == code)
        }
        limits.weights = 95
        let error = #expect(throws: APIError.self) { try answer(get("input=a+b&format=npy"), bert, limits) }
        #expect(error?.code == "too_many_weights")
    }

    @Test func svgIsWellFormedAndComplete() throws {
        let response = try answer(get("input=%3Cb%3E%26+a%E2%80%AEb&format=svg&layers=1"), bert)
        let text = String(decoding: bytes(response), as: UTF8.self)
        #expect(XMLParser(data: Data(text.utf8)).parse())
        for part in [
            "known: raw", "layer 1, head 2", "&lt;b&gt;&amp;", "aU+202Eb", "[CLS]", "square root of weight / 0.4,",
        ] {
            #expect(text.contains(part), "\(part)")
        }
        #expect(!text.contains("href") && !text.contains("url(") && !text.contains("\u{202E}"))
    }

    @Test func pngDecodesToTheWeightsColors() throws {
        let data = try bytes(answer(get("input=a+b&format=png&layers=0&heads=0"), bert))
        #expect(data.prefix(8) == [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        func number(_ at: Int) -> Int { data[at..<(at + 4)].reduce(0) { $0 << 8 | Int($1) } }
        var chunks: [String: [UInt8]] = [:]
        var at = 8
        while at < data.count {
            let length = number(at)
            let body = Array(data[(at + 4)..<(at + 8 + length)])
            #expect(number(at + 8 + length) == Int(crc32(0, body, UInt32(body.count))))
            chunks[String(decoding: body.prefix(4), as: UTF8.self)] = Array(body.dropFirst(4))
            at += 12 + length
        }
        #expect(Set(chunks.keys) == ["IHDR", "IDAT", "IEND"])
        let (width, height) = (number(16), number(20))
        var size = UInt((width * 3 + 1) * height)
        var rows = [UInt8](repeating: 0, count: Int(size))
        let packed = try #require(chunks["IDAT"])
        #expect(uncompress(&rows, &size, packed, UInt(packed.count)) == Z_OK)
        #expect(Int(size) == rows.count)
        for row in 0..<height {
            #expect(rows[row * (width * 3 + 1)] == 2)
            guard row > 0 else { continue }
            for i in 1...(width * 3) { rows[row * (width * 3 + 1) + i] &+= rows[(row - 1) * (width * 3 + 1) + i] }
        }
        // The last cell of the last row, 0.4, is the largest weight: the darkest color of the scale.
        func pixel(_ x: Int, _ y: Int) -> [UInt8] {
            let at = y * (width * 3 + 1) + 1 + x * 3
            return Array(rows[at..<(at + 3)])
        }
        let dark = (0..<height).flatMap { y in (0..<width).map { ($0, y) } }.filter {
            pixel($0.0, $0.1) == [10, 40, 95]
        }
        let cells = dark.filter { $0.1 > 110 }
        #expect(cells.count == 14 * 14 * 4)
        let lastX = try #require(cells.map(\.0).max())
        // Its left neighbor: √0.75 of 63 levels is 55; two thirds of the way lies at 42.
        let neighbor = pixel(lastX - 14, cells[0].1)
        let share = (Float(55) / 63 * 3) - 2
        let expected: [UInt8] = [(60, 10), (130, 40), (190, 95)].map {
            UInt8(Float($0.0) + Float($0.1 - $0.0) * share + 0.5)
        }
        #expect(neighbor == expected)
    }
}
