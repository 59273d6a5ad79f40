import Concurrency
import JSON
import Models
import Synchronization
import Testing

@testable import HTTP
@testable import Server

struct BadRequest: Sendable, CustomTestStringConvertible {
    var body: String
    var status: Int
    var code: String
    var param: String?
    var fragment: String
    var headers: HTTPHeaders = [:]
    var testDescription: String { String(body.prefix(70)) }

    init(
        _ body: String, _ status: Int, _ code: String, _ param: String?, _ fragment: String,
        _ headers: HTTPHeaders = [:]
    ) {
        self.body = body
        self.status = status
        self.code = code
        self.param = param
        self.fragment = fragment
        self.headers = headers
    }

    static let all: [BadRequest] = [
        .init("", 400, "invalid_json", nil, "at byte 0"),
        .init("{\"input\": ", 400, "invalid_json", nil, "at byte 10"),
        .init("{\"input\": NaN}", 400, "invalid_json", nil, "at byte 10"),
        .init("{\"input\": [1e999]}", 400, "invalid_json", nil, "beyond the range"),
        .init("{\"input\": \"a\", \"input\": \"b\"}", 400, "invalid_json", nil, "duplicate"),
        .init("{\"input\": \"a\"} x", 400, "invalid_json", nil, "after the value"),
        .init("[1]", 400, "invalid_type", nil, "JSON object"),
        .init("\"hello\"", 400, "invalid_type", nil, "JSON object"),
        .init("{}", 400, "missing_field", "input", "required"),
        .init("{\"inputs\": \"a\"}", 400, "unknown_field", "inputs", "did you mean 'input'"),
        .init("{\"input\": \"a\", \"zzzzzz\": 1}", 400, "unknown_field", "zzzzzz", "Its fields are model"),
        .init("{\"input\": \"a\", \"model\": 3}", 400, "invalid_type", "model", "a string"),
        .init("{\"input\": \"a\", \"model\": \"nope\"}", 404, "model_not_found", "model", "'features'"),
        .init("{\"input\": \"a\", \"output\": 1}", 400, "invalid_type", "output", "a string or an array"),
        .init(
            "{\"input\": \"a\", \"output\": \"embeding\"}", 400, "invalid_value", "output", "Did you mean 'embedding'"),
        .init("{\"input\": \"a\", \"output\": []}", 400, "invalid_value", "output", "empty array"),
        .init(
            "{\"input\": \"a\", \"output\": [\"states\", \"states\"]}", 400, "invalid_value", "output[1]",
            "more than once"),
        .init("{\"input\": \"a\", \"output\": [\"states\", 2]}", 400, "invalid_type", "output[1]", "a string"),
        .init("{\"input\": \"a\", \"output\": \"logits\"}", 422, "no_head", "output", "no head"),
        .init("{\"input\": \"a\", \"layer\": 3}", 400, "invalid_value", "layer", "0 (its embeddings) … 2"),
        .init("{\"input\": \"a\", \"layer\": -4}", 400, "invalid_value", "layer", "-1 … -3"),
        .init("{\"input\": \"a\", \"layer\": -9223372036854775808}", 400, "invalid_value", "layer", "this model has"),
        .init("{\"input\": \"a\", \"layer\": 0.5}", 400, "invalid_value", "layer", "whole number"),
        .init("{\"input\": \"a\", \"layer\": \"1\"}", 400, "invalid_type", "layer", "whole number"),
        .init("{\"input\": \"a\", \"pooling\": \"avg\"}", 400, "invalid_value", "pooling", "mean, cls"),
        .init("{\"input\": \"a\", \"normalize\": 1}", 400, "invalid_type", "normalize", "true or false"),
        .init("{\"input\": \"a\", \"dimensions\": 0}", 400, "invalid_value", "dimensions", "1 … 4"),
        .init("{\"input\": \"a\", \"dimensions\": 5}", 400, "invalid_value", "dimensions", "1 … 4"),
        .init("{\"input\": \"a\", \"truncate\": \"no\"}", 400, "invalid_type", "truncate", "true or false"),
        .init(
            "{\"input\": \"a\", \"encoding_format\": \"hex\"}", 400, "invalid_value", "encoding_format", "float, base64"
        ),
        .init("{\"input\": \"a\", \"return_state\": true}", 422, "no_state", "return_state", "not recurrent"),
        .init("{\"input\": \"a\", \"initial_state\": {}}", 422, "no_state", "initial_state", "not recurrent"),
        .init("{\"input\": null}", 400, "invalid_type", "input", "null"),
        .init("{\"input\": true}", 400, "invalid_type", "input", "a boolean"),
        .init("{\"input\": 5}", 400, "invalid_type", "input", "a number"),
        .init("{\"input\": []}", 400, "empty_input", "input", "empty"),
        .init("{\"input\": [[]]}", 400, "empty_input", "input[0]", "at least one token id"),
        .init("{\"input\": [\"a\", null]}", 400, "invalid_type", "input[1]", "null"),
        .init("{\"input\": {\"text\": \"a\"}}", 400, "missing_field", "input.pair", "'pair' is missing"),
        .init("{\"input\": [{\"text\": \"a\", \"pair\": 1}]}", 400, "invalid_type", "input[0].pair", "a string"),
        .init("{\"input\": {\"text\": \"a\", \"pairs\": \"b\"}}", 400, "unknown_field", "input.pairs", "'pair'"),
        .init("{\"input\": [1, 2, 100]}", 400, "token_id_out_of_range", "input[2]", "0 … 99"),
        .init("{\"input\": [-1]}", 400, "token_id_out_of_range", "input[0]", "0 … 99"),
        .init("{\"input\": [[1], [1, 9223372036854775807]]}", 400, "token_id_out_of_range", "input[1][1]", "0 … 99"),
        .init("{\"input\": [1.5]}", 400, "invalid_token_id", "input[0]", "whole number"),
        .init("{\"input\": [[1, 2.5]]}", 400, "invalid_token_id", "input[0][1]", "whole number"),
        .init("{\"input\": [1, \"a\"]}", 400, "invalid_type", "input[1]", "token id"),
        .init("{\"input\": [[0.1, -2.0], [0.3, 0.7]]}", 422, "wrong_input_kind", "input", "text or token ids"),
        .init("{\"input\": [[[1, 2]]]}", 422, "wrong_input_kind", "input", "input_size"),
        .init("{\"input\": \"a\", \"model\": \"ids\"}", 422, "no_tokenizer", "input", "send token ids"),
        .init("{\"input\": [1,1,1,1,1,1,1,1,1], \"truncate\": false}", 400, "sequence_too_long", "input", "9 tokens"),
        .init("{\"input\": \"a b c d e f g\", \"truncate\": false}", 400, "sequence_too_long", "input", "the 8"),
        .init("{\"model\": \"features\", \"input\": \"a\"}", 422, "wrong_input_kind", "input", "[steps, 2]"),
        .init("{\"model\": \"features\", \"input\": [\"a\"]}", 422, "wrong_input_kind", "input[0]", "not text"),
        .init("{\"model\": \"features\", \"input\": [1, 2]}", 400, "invalid_shape", "input", "single vector"),
        .init(
            "{\"model\": \"features\", \"input\": [[1, 2, 3]]}", 400, "wrong_feature_width", "input[0]",
            "input_size is 2"),
        .init(
            "{\"model\": \"features\", \"input\": [[[1, 2]], [[1]]]}", 400, "wrong_feature_width", "input[1][0]", "is 2"
        ),
        .init("{\"model\": \"features\", \"input\": [[[1, 2]], []]}", 400, "empty_input", "input[1]", "one step"),
        .init("{\"model\": \"features\", \"input\": [[1, 1e39]]}", 400, "number_out_of_range", "input[0][1]", "32-bit"),
        .init("{\"model\": \"features\", \"input\": [[1, null]]}", 400, "invalid_type", "input[0][1]", "a number"),
        .init(
            "{\"model\": \"features\", \"input\": [[1, 2]], \"initial_state\": {\"hidden\": [[1, 2]]}}", 400,
            "missing_field",
            "initial_state.cell", "[1, 2]"),
        .init(
            "{\"model\": \"features\", \"input\": [[1, 2]], \"initial_state\": {\"hidden\": [], \"cell\": []}}", 400,
            "invalid_shape", "initial_state.hidden", "[1, 2]"),
        .init(
            "{\"model\": \"features\", \"input\": [[[1, 2]], [[1, 2]]], \"initial_state\": {}}", 400, "invalid_value",
            "initial_state", "one for each"),
        .init(
            "{\"input\": [" + Array(repeating: "\"a\"", count: 41).joined(separator: ",") + "]}", 413,
            "too_many_sequences",
            "input", "the 40"),
        .init(
            "{\"input\": [" + Array(repeating: "[1,2,3,4,5,6]", count: 40).joined(separator: ",") + "]}", 413,
            "too_many_tokens", "input", "the 200"),
        .init(
            "{\"input\": \"a\"}", 415, "unsupported_media_type", "Content-Type", "text/plain",
            ["Content-Type": "text/plain"]),
        .init("x", 415, "unsupported_content_encoding", "Content-Encoding", "gzip", ["Content-Encoding": "br"]),
        .init(
            "{\"input\": \"a\"}", 400, "invalid_value", "X-Request-Timeout-Ms", "whole", ["X-Request-Timeout-Ms": "-1"]),
        .init(
            "{\"input\": \"a\"}", 504, "deadline_exceeded", "X-Request-Timeout-Ms", "passed",
            ["X-Request-Timeout-Ms": "0"]),
        .init(
            "{\"input\": \"a\", \"output\": [\"states\", \"embedding\"]}", 400, "not_representable", "Accept",
            "one array",
            ["Accept": "application/x-npy"]),
    ]
}

/// Long in Characters, and only in Unicode scalars.
let longTexts = [String(repeating: "e", count: 50_000), "e" + String(repeating: "\u{301}", count: 50_000)]

func isShort(_ text: String?, _ limit: Int) -> Bool { text.map { $0.unicodeScalars.count <= limit } ?? false }

@Suite struct EncodeTests {
    @Test(arguments: BadRequest.all)
    func refuses(_ bad: BadRequest) throws {
        let response = try TestAPI().encode(bad.body, bad.headers)
        let message = response.error["message"]?.string ?? ""
        #expect(response.status == bad.status, "\(response.text)")
        #expect(response.error["code"]?.string == bad.code, "\(response.text)")
        #expect(response.error["param"]?.string == bad.param, "\(response.text)")
        #expect(message.contains(bad.fragment), "\(message)")
        #expect(response.headers["X-Request-Id"]?.isEmpty == false)
    }

    /// Expected by the definition of the toy network; the length of [4, 1, 4, 4] is 7.
    @Test(arguments: [
        ("{\"input\": \"ab c\"}", "[[8,4,0,1]]"),
        ("{\"input\": \"\"}", "[[1,2,0,1]]"),
        ("{\"input\": [\"ab\", [7, 8], {\"text\": \"a\", \"pair\": \"bc\"}]}", "[[5,3,0,1],[15,2,7,8],[9,5,0,1]]"),
        ("{\"input\": [7, 8, 9.0]}", "[[24,3,7,9]]"),
        ("{\"input\": [[7], [8, 9]]}", "[[7,1,7,7],[17,2,8,9]]"),
        ("{\"input\": [1,1,1,1,1,1,1,1,50]}", "[[8,8,1,1]]"),
        ("{\"model\": \"features\", \"input\": [[0.5, 1], [2, 3]]}", "[[6.5,2,1.5,5]]"),
        ("{\"model\": \"features\", \"input\": [[[1, 1]], [[2, 2], [3, 3]]]}", "[[2,1,2,2],[10,2,4,6]]"),
        ("{\"input\": [3, 4], \"dimensions\": 2}", "[[7,2]]"),
        ("{\"input\": [4], \"normalize\": true, \"layer\": 0}", "[[0.57142857,0.14285714,0.57142857,0.57142857]]"),
        ("{\"input\": [3], \"normalize\": true, \"dimensions\": 1}", "[[1]]"),
    ])
    func embeds(_ body: String, _ expected: String) throws {
        let response = try TestAPI().encode(body)
        #expect(response.status == 200, "\(response.text)")
        let expected = try #require(try JSONValue(parsing: Array(expected.utf8)).array)
        let found = try #require(response.json["data"]?.array).map { $0["embedding"]?.array?.map(\.double) }
        #expect(found.count == expected.count)
        for (a, b) in zip(found, expected) {
            let pairs = zip(try #require(a), try #require(b.array))
            for (x, y) in pairs { #expect(abs((x ?? .nan) - (y.double ?? .nan)) < 1e-6) }
        }
        #expect(response.headers["Server-Timing"]?.contains("infer;dur=") == true)
    }

    @Test func describesItems() throws {
        let json = try TestAPI().encode("{\"input\": [[1,2], \"a b c d e f g\"]}").json
        let items = try #require(json["data"]?.array)
        #expect(items.map { $0["tokens"]?.int } == [2, 8])
        #expect(items.map { $0["truncated"]?.bool } == [false, true])
        #expect(json["usage"]?["total_tokens"]?.int == 10)
    }

    /// base64.b64encode(numpy.array([7, 1, 7, 7], '<f4'))
    @Test func writesBase64() throws {
        let json = try TestAPI().encode("{\"input\": [7], \"encoding_format\": \"base64\"}").json
        #expect(json["data"]?.array?.first?["embedding"]?.string == "AADgQAAAgD8AAOBAAADgQA==")
    }

    /// torch.softmax(torch.tensor([0., 1., 2.]), 0)
    /// A model with vectors for one token type takes a text, but not the second text of a pair.
    @Test func refusesTokenTypesWithoutVectors() throws {
        var description = Toy.description(.tokens(vocabularySize: 100))
        description.architecture.tokenTypes = 1
        let api = try TestAPI([Toy.model("one-type", description, tokenizer: ToyTokenizer())])
        #expect(api.encode("{\"input\": \"a b\"}").status == 200)
        let response = api.encode("{\"input\": [\"a\", {\"text\": \"a\", \"pair\": \"b\"}]}")
        #expect(response.status == 422 && response.error["code"]?.string == "token_type_without_embedding")
        #expect(
            response.error["param"]?.string == "input[1]" && response.text.contains("only types 0 … 0; send one text"))
    }

    @Test func ranksLabels() throws {
        let json = try TestAPI().encode("{\"model\": \"classes\", \"input\": \"a\"}").json
        let labels = try #require(json["data"]?.array?.first?["labels"]?.array)
        #expect(labels.map { $0["label"]?.string } == ["c", "b", "a"])
        for (label, score) in zip(labels, [0.66524094, 0.24472848, 0.09003057]) {
            #expect(abs((label["score"]?.double ?? 0) - score) < 1e-6)
        }
        // torch.sigmoid(torch.tensor(2.))
        #expect(abs(ScoreFunction(logits: 1).scores([2])[0] - 0.8807971) < 1e-6)
    }

    /// Reads texts, and tells which the tokenizer was given.
    private static func read(
        _ texts: [String], prompt: String, poolsPrompt: Bool = true, limits: RequestLimits = RequestLimits()
    ) -> (sequences: Result<[PreparedSequence], APIError>, encoded: [String]) {
        let encoded = Locked<[String]>([])
        var description = Toy.description(.tokens(vocabularySize: 100))
        description.prompts.arePooled = poolsPrompt
        let tokenizer = ToyTokenizer(began: { text in encoded.withLock { $0.append(text) } })
        let model = Toy.model("m", description, tokenizer: tokenizer)
        var reader = InputReader(CallInput(.array(texts.map { .string($0) })), model: model, limits: limits)
        reader.prompt = prompt
        let sequences: Result<[PreparedSequence], APIError>
        do throws(APIError) {
            sequences = .success(try reader.read())
        } catch {
            sequences = .failure(error)
        }
        return (sequences, encoded.withLock { $0 })
    }

    @Test func readsThePromptAloneOnce() throws {
        let (sequences, encoded) = EncodeTests.read(["a", "b", "c"], prompt: "x y ", poolsPrompt: false)
        #expect(encoded.sorted() == ["x y ", "x y a", "x y b", "x y c"])
        // [CLS] x y
        #expect(try sequences.get().map(\.promptTokens) == [3, 3, 3])
        #expect(try EncodeTests.read(["a", "b"], prompt: "x ").sequences.get().map(\.promptTokens) == [0, 0])
    }

    @Test func refusesPromptsTooLongForSoManyTexts() {
        var limits = RequestLimits()
        limits.maxBodyBytes = 100
        let prompt = String(repeating: "x", count: 25)
        let texts = ["a", "b", "c", "d"]
        #expect(throws: Never.self) { try EncodeTests.read(texts, prompt: prompt, limits: limits).sequences.get() }
        let (sequences, encoded) = EncodeTests.read(texts, prompt: prompt + "x", limits: limits)
        let error = #expect(throws: APIError.self) { try sequences.get() }
        #expect(error?.status == 413 && error?.code == "prompt_too_long" && error?.param == "prompt")
        #expect(error?.message.contains("26 bytes before each of 4 texts") == true)
        #expect(encoded.isEmpty)
    }

    @Test func readsNoMoreForNobody() throws {
        let writer = TestWriter()
        let encoded = Atomic(0)
        let tokenizer = ToyTokenizer(began: { _ in
            encoded.wrappingAdd(1, ordering: .relaxed)
            writer.cancel()
        })
        let api = try TestAPI([Toy.model("m", Toy.description(.tokens(vocabularySize: 100)), tokenizer: tokenizer)])
        let body = Array(#"{"input": ["a", "b", "c"]}"#.utf8)
        let headers: HTTPHeaders = ["Content-Type": "application/json", "Content-Length": "\(body.count)"]
        api.handler.handle(HTTPRequest(method: "POST", path: "/v1/encode", headers: headers, body: body), writer)
        #expect(writer.response.status == 499)
        #expect(encoded.load(ordering: .relaxed) == 1)
    }

    /// Values take far more memory than their text; arrays of numbers alone do not.
    @Test(
        arguments: [
            ("1", "\"\"", 413, "too_many_values"), ("[[]]", "[]", 413, "too_many_values"),
            ("[1]", "[1]", 413, "too_many_values"), ("{}", "{}", 413, "too_many_values"), ("1", "1", 200, nil),
            ("1.0", "1.0", 200, nil),
        ] as [(String, String, Int, String?)])
    func boundsValues(_ value: String, _ last: String, _ status: Int, _ code: String?) throws {
        let response = try TestAPI().encode(
            "{\"input\": [" + String(repeating: value + ",", count: 1 << 20) + last + "]}")
        #expect(response.status == status && response.error["code"]?.string == code, "\(response.text)")
    }

    /// Not a letter more than a person reads: of letters, and of one Character with as many marks.
    @Test(arguments: [
        #"{"TEXT": 1}"#, #"{"input": {"text": "a", "TEXT": 1}}"#, #"{"input": "a", "output": "TEXT"}"#,
        #"{"input": "a", "pooling": "TEXT"}"#, #"{"input": "a", "model": "TEXT"}"#,
        #"{"input": "a", "prompt_name": "TEXT"}"#, #"{"TEXT": 1, "TEXT": 2}"#,
    ])
    func echoesNoLongTexts(_ body: String) throws {
        for text in longTexts {
            let error = try TestAPI().encode(body.replacing("TEXT", with: text)).error
            #expect(isShort(error["message"]?.string, 600) && isShort(error["param"]?.string ?? "", 201))
        }
    }

    @Test func errorsAreShort() {
        for text in longTexts {
            let error = APIError(400, "code", param: text, text)
            #expect(isShort(error.message, 2001) && isShort(error.param, 201))
            #expect(error.message.hasSuffix("…") && error.param?.hasSuffix("…") == true)
        }
        let error = APIError(400, "code", param: "input[3]", "'input[3]' is wrong.")
        #expect(error.message == "'input[3]' is wrong." && error.param == "input[3]")
    }

    @Test func carriesState() throws {
        let body =
            "{\"model\": \"features\", \"input\": [[1, 2]], \"return_state\": true, "
            + "\"initial_state\": {\"hidden\": [[5, 6]], \"cell\": [[7, 8]]}}"
        let state = try TestAPI().encode(body).json["data"]?.array?.first?["state"]
        #expect(try state == JSONValue(parsing: Array("{\"hidden\": [[5.0, 6.0]], \"cell\": [[7.0, 8.0]]}".utf8)))
    }

    @Test func writesBinary() throws {
        let api = try TestAPI()
        let tensors = api.encode(
            "{\"input\": [[7], [8, 9]], \"output\": [\"embedding\", \"states\"]}",
            ["Accept": "application/vnd.safetensors"])
        #expect(tensors.headers["Content-Type"] == "application/vnd.safetensors")
        for name in ["\"embedding\"", "\"states.0\"", "\"states.1\""] { #expect(tensors.text.contains(name)) }
        let array = api.encode("{\"input\": [[7], [8, 9]]}", ["Accept": "application/x-npy"])
        #expect(array.bytes.starts(with: [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]))
        #expect(array.text.contains("(2, 4)"))
    }

    /// RFC 9110, 5.3: several lines of a list are one.
    @Test(arguments: [
        (["text/html", "application/x-npy"], "application/x-npy"),
        (
            ["application/json;q=0.1", "application/x-npy;q=0.2, */*;q=0", "application/vnd.safetensors"],
            "application/vnd.safetensors"
        ), (["application/json", "application/x-npy;q=0.5"], "application/json"),
    ])
    func acceptMayHaveSeveralLines(_ lines: [String], _ type: String) throws {
        var headers: HTTPHeaders = [:]
        for line in lines { headers.add("Accept", line) }
        #expect(try TestAPI().encode("{\"input\": [7]}", headers).headers["Content-Type"] == type)
    }
}
