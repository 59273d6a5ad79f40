import JSON
import Models
import TestSupport
import Testing

@testable import HTTP
@testable import Server

private let (body, gzipped, deflated, raw) = (CodedText.plain, CodedText.gzip, CodedText.zlib, CodedText.deflate)

@Suite struct CompressionPolicyTests {
    @Test(
        arguments: [
            (CompressionPolicy.auto, "gzip", 150_000, 0.1, true), (.auto, "gzip", 2_400_000, 0.06, false),
            (.auto, "gzip", 1000, 10, false), (.auto, nil, 150_000, 0.1, false), (.always, "gzip", 2_400_000, 0, true),
            (.always, "gzip", 1000, 0, false), (.auto, "identity;q=0, gzip", 1000, 0, true),
            (.never, "identity;q=0, gzip", 150_000, 1, false), (.always, "br", 150_000, 1, false),
        ] as [(CompressionPolicy, String?, Int, Double, Bool)])
    func isWorthIt(policy: CompressionPolicy, field: String?, bytes: Int, seconds: Double, compresses: Bool) {
        #expect(policy.compresses(AcceptEncoding(field), bytes: bytes, inferSeconds: seconds) == compresses)
    }
}

/// Content codings at the API.
@Suite struct CodedRequestTests {
    private func post(_ body: [UInt8], _ fields: HTTPHeaders, _ api: TestAPI) -> HTTPResponse {
        var headers: HTTPHeaders = ["Content-Type": "application/json"]
        for (name, value) in fields.fields { headers.add(name, value) }
        let writer = TestWriter()
        api.handler.handle(HTTPRequest(method: "POST", path: "/v1/encode", headers: headers, body: body), writer)
        return writer.response
    }

    @Test(arguments: [
        ("gzip", gzipped), ("x-gzip", gzipped), ("GZip", gzipped), ("deflate", deflated), ("identity", body),
    ])
    func requests(coding: String, sent: [UInt8]) throws {
        let api = try TestAPI()
        let answer = post(sent, ["Content-Encoding": coding], api)
        #expect(answer.status == 200 && answer.bytes == post(body, [:], api).bytes)
    }

    @Test(
        arguments: [
            (["Content-Encoding": "br"], gzipped, 415, "unsupported_content_encoding"),
            (["Content-Encoding": "gzip, gzip"], gzipped, 415, "unsupported_content_encoding"),
            (["Content-Encoding": "gzip", "content-encoding": "gzip"], gzipped, 415, "unsupported_content_encoding"),
            (["Content-Encoding": "gzip"], body, 400, "invalid_content_encoding"),
            (["Content-Encoding": "gzip"], Array(gzipped.dropLast()), 400, "invalid_content_encoding"),
            (["Content-Encoding": "deflate"], raw, 400, "invalid_content_encoding"),
        ] as [(HTTPHeaders, [UInt8], Int, String)])
    func refusals(fields: HTTPHeaders, sent: [UInt8], status: Int, code: String) throws {
        let answer = post(sent, fields, try TestAPI())
        #expect(answer.status == status && answer.error["code"]?.string == code, "\(answer.text)")
        #expect(answer.error["param"]?.string == "Content-Encoding")
        // RFC 9110, 15.5.16
        #expect((answer.headers["Accept-Encoding"] == "gzip, deflate, identity") == (status == 415))
    }

    @Test func bombIsRefused() throws {
        let bomb = try #require(GzipEncoder.encode([UInt8](repeating: 0x20, count: 8 << 20)))
        let answer = post(bomb, ["Content-Encoding": "gzip"], try TestAPI())
        #expect(answer.status == 413 && answer.error["code"]?.string == "body_too_large")
    }

    @Test func answers() throws {
        let api = try TestAPI()
        let plain = post(body, [:], api)
        #expect(plain.headers["Vary"] == "Accept-Encoding" && plain.headers["Content-Encoding"] == nil)
        let coded = post(body, ["Accept-Encoding": "identity;q=0, gzip"], api)
        #expect(coded.headers["Vary"] == "Accept-Encoding" && coded.headers["Content-Encoding"] == "gzip")
        #expect(try Inflater(coding: .gzip, limit: 1 << 20).inflate(coded.bytes) == plain.bytes)
    }

    @Test(arguments: ["/", "/openapi.json"])
    func staticAnswers(path: String) throws {
        let api = try TestAPI()
        let writer = TestWriter()
        api.handler.handle(HTTPRequest(method: "GET", path: path, headers: ["Accept-Encoding": "gzip"]), writer)
        let plain = api.get(path)
        #expect(writer.response.headers["Content-Encoding"] == "gzip" && plain.headers["Content-Encoding"] == nil)
        #expect(try Inflater(coding: .gzip, limit: 1 << 20).inflate(writer.response.bytes) == plain.bytes)
    }
}
