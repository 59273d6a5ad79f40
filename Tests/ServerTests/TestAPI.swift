import Concurrency
import Glibc
import JSON
import Models
import Synchronization

@testable import HTTP
@testable import Server
@testable import Tokenizers

/// A network whose results can be told from its input alone: an embedding is [Σ values, length, first, last], states are
/// [value, position, value, position]; a feature step's value is its sum.
struct ToyNetwork: Network {
    var description: ModelDescription
    /// Called at the start of each pass.
    var began: @Sendable ([SequenceRequest]) -> Void = { _ in }

    func multiplications(length: Int, outputs: OutputSelection) -> Double { Double(length) }

    func forward(_ batch: [SequenceRequest], scratch: Scratch) -> [SequenceResult] {
        began(batch)
        return batch.map { request in
            let values: [Float] =
                switch request.input {
                case .tokens(let ids, _): ids.map { Float($0) }
                case .features(let features, let steps):
                    (0..<steps).map { step in
                        features[step * features.count / steps..<(step + 1) * features.count / steps].reduce(0, +)
                    }
                }
            var result = SequenceResult()
            if !request.outputs.pooling.isEmpty {
                result.embedding = [values.reduce(0, +), Float(values.count), values[0], values[values.count - 1]]
            }
            result.states = request.outputs.stateLayers.map { _ in
                let rows = values.enumerated().flatMap { [$1, Float($0), $1, Float($0)] }
                return Matrix(rows: values.count, columns: 4, values: rows)
            }
            if request.outputs.logits, let size = description.outputs.logitsSize {
                result.logits = Matrix(rows: 1, columns: size, values: (0..<size).map { Float($0) })
            }
            if request.outputs.finalState {
                result.finalState =
                    request.outputs.initialState
                    ?? RecurrentState(
                        hidden: Matrix(rows: 1, columns: 2, values: [1, 2]),
                        cell: Matrix(rows: 1, columns: 2, values: [3, 4]))
            }
            return result
        }
    }
}

/// Words between spaces: [CLS] 0, words 2 + their length, [SEP] 1.
struct ToyTokenizer: Tokenizer {
    var truncationSide = Truncation.Side.right
    /// Called with each text.
    var began: @Sendable (String) -> Void = { _ in }
    var summary: String { "toy, 100 tokens" }
    var vocabularySize: Int { 100 }
    func encode(_ text: String, pair: String?, maxLength: Int?) -> Encoding {
        began(text)
        func words(_ text: String, _ type: Int32) -> [Token] {
            text.split(separator: " ").map {
                Token(id: Int32(2 + $0.count), text: String($0), start: 0, end: 0, typeID: type)
            } + [Token(id: 1, text: "[SEP]", start: 0, end: 0, typeID: type, special: true)]
        }
        let all =
            [Token(id: 0, text: "[CLS]", start: 0, end: 0, special: true)] + words(text, 0)
            + (pair.map { words($0, 1) } ?? [])
        let kept = Array(all.prefix(maxLength ?? all.count))
        return Encoding(tokens: kept, truncated: kept.count < all.count, untruncatedCount: all.count)
    }
    func decode(_ ids: [Int32], skipSpecialTokens: Bool) -> String {
        ids.compactMap { token($0) }.joined(separator: " ")
    }
    func token(_ id: Int32) -> String? { "t\(id)" }
    func isSpecial(_ id: Int32) -> Bool { id < 2 }
}

enum Toy {
    static func description(
        _ input: InputKind, maxLength: Int? = 8, labels: [String]? = nil,
        stateShape: RecurrentStateShape? = nil
    ) -> ModelDescription {
        ModelDescription(
            architecture: .init(
                family: stateShape == nil ? "toy" : "lstm", input: input, stateSizes: [4, 4, 4], heads: 1,
                maxLength: maxLength, stateShape: stateShape, parameters: 7),
            outputs: .init(
                defaultOutput: labels == nil ? .embedding : .logits, pooledWidth: 4, pooling: [.mean], normalize: false,
                logitsSize: labels?.count, labels: labels),
            attribution: .init(methods: []), runtime: .init(precision: "f32", instructionSet: .baseline))
    }

    static func model(
        _ name: String, _ description: ModelDescription, tokenizer: (any Tokenizer)? = nil,
        began: @escaping @Sendable ([SequenceRequest]) -> Void = { _ in }
    ) -> Model {
        Model(
            name: name, directory: "", network: ToyNetwork(description: description, began: began), tokenizer: tokenizer
        )
    }

    static var models: [Model] {
        [
            model("text", description(.tokens(vocabularySize: 100)), tokenizer: ToyTokenizer()),
            model("ids", description(.tokens(vocabularySize: 10))),
            model(
                "features",
                description(.features(size: 2), maxLength: nil, stateShape: .init(rows: 1, hidden: 2, cell: 2))),
            model(
                "classes", description(.tokens(vocabularySize: 100), labels: ["a", "b", "c"]), tokenizer: ToyTokenizer()
            ),
        ]
    }
}

/// Takes one answer.
final class TestWriter: ResponseWriter {
    private let state = Locked<HTTPResponse?>(nil)
    private let cancelled: Atomic<Bool>
    private let done = Gate()

    init(cancelled: Bool = false) { self.cancelled = Atomic(cancelled) }
    func cancel() { cancelled.store(true, ordering: .relaxed) }
    var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

    func respond(_ response: HTTPResponse) {
        state.withLock { if $0 == nil { $0 = response } }
        done.open()
    }

    var isAnswered: Bool { state.withLock { $0 != nil } }

    /// Waits for the answer.
    var response: HTTPResponse {
        done.wait()
        return state.withLock { $0 } ?? HTTPResponse(status: 0)
    }
}

/// Lets threads through once it is open.
final class Gate: @unchecked Sendable {
    private let monitor = Monitor()
    private let condition = Monitor.Condition()
    private var isOpen = false
    func open() {
        monitor.withLock {
            isOpen = true
            condition.broadcast()
        }
    }
    func wait() { monitor.withLock { while !isOpen { condition.wait(monitor) } } }
}

/// Runs the body of a request to /v1/encode without a server.
/// - Returns: The JSON of the response.
func encode(_ body: JSONValue, on model: Model) throws(APIError) -> JSONValue {
    let fields = try EncodeFields(body)
    let response = try EncodeResponse(fields.call.run(on: model), encodingFormat: fields.encodingFormat)
    return (try? JSONValue(parsing: response.json().bytes())) ?? .null
}

/// An API without sockets.
final class TestAPI {
    let engine: InferenceEngine
    let handler: APIHandler

    init(_ models: [Model] = Toy.models, threads: Int = 2, queue: QueueLimits = QueueLimits()) throws {
        let metrics = Metrics()
        engine = try InferenceEngine(networks: models.map(\.network), threads: threads, limits: queue) {
            metrics.countBatch(model: $0, sequences: $1, tokens: $2, seconds: $3.milliseconds / 1e3)
        }
        var limits = RequestLimits()
        limits.maxSequences = 40
        limits.maxTokens = 200
        handler = APIHandler(metrics: metrics, limits: limits)
        handler.serve(models, engine: engine)
    }

    deinit { engine.stop() }

    func start(
        _ body: String, _ headers: HTTPHeaders = [:], cancelled: Bool = false, client: ClientIdentity = .unknown
    ) -> TestWriter {
        let writer = TestWriter(cancelled: cancelled)
        var headers = headers
        if headers["Content-Type"] == nil { headers.add("Content-Type", "application/json") }
        headers.set("Content-Length", String(body.utf8.count))
        var request = HTTPRequest(method: "POST", path: "/v1/encode", headers: headers, body: Array(body.utf8))
        request.client = client
        handler.handle(request, writer)
        return writer
    }

    func encode(_ body: String, _ headers: HTTPHeaders = [:]) -> HTTPResponse { start(body, headers).response }

    func get(_ path: String, method: String = "GET") -> HTTPResponse {
        let writer = TestWriter()
        handler.handle(HTTPRequest(method: method, path: path), writer)
        return writer.response
    }
}

extension RequestHandler {
    /// Begins a request that has arrived whole and handles it, as a connection does.
    func handle(_ request: HTTPRequest, _ writer: any ResponseWriter) {
        switch decision(on: request) {
        case .respond(let response): writer.respond(response)
        case .accept(let accepted, _): accepted.handle(request, writer)
        }
    }

    /// The response that the head alone gets; `nil` if the request is accepted.
    func refusal(of request: HTTPRequest) -> HTTPResponse? {
        if case .respond(let response) = decision(on: request) { response } else { nil }
    }

    /// The largest body that is read, in bytes; `nil` if it is as large as the server takes, or the request is refused.
    func maxBodyBytes(of request: HTTPRequest) -> Int? {
        if case .accept(_, let bytes) = decision(on: request) { bytes } else { nil }
    }

    private func decision(on request: HTTPRequest) -> RequestDecision {
        var head = request
        head.body = []
        return begin(head)
    }
}

extension HTTPResponse {
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        for segment in body { segment.withBytes { bytes += $0 } }
        return bytes
    }
    var text: String { String(decoding: bytes, as: UTF8.self) }
    var json: JSONValue { (try? JSONValue(parsing: bytes)) ?? .null }
    var error: JSONValue { json["error"] ?? .null }
}
