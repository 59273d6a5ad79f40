import HTTP
import JSON

extension Dialect {
    /// The project's own dialect: unknown fields are refused, errors are those of OpenAI's API.
    static let native = Dialect(name: "native", fields: .strict, errorResponse: nativeErrorResponse)

    /// Writes `{"error": {"message", "type", "param", "code"}}`.
    private static func nativeErrorResponse(_ error: APIError) -> HTTPResponse {
        var json = JSONWriter()
        json.object { json in
            json.key("error")
            json.object { json in
                json.key("message")
                json.string(error.message)
                json.key("type")
                json.string(nativeErrorType(error.status))
                json.key("param")
                if let param = error.param { json.string(param) } else { json.null() }
                json.key("code")
                json.string(error.code)
            }
        }
        var headers: HTTPHeaders = ["Content-Type": "application/json"]
        for (name, value) in error.headers.fields { headers.add(name, value) }
        return HTTPResponse(status: error.status, headers: headers, body: [ArraySegment(json.bytes)])
    }

    /// Returns the error object's `type`, as OpenAI's clients know it.
    private static func nativeErrorType(_ status: Int) -> String {
        switch status {
        case 401: "authentication_error"
        case 429: "rate_limit_error"
        case 500...: "server_error"
        default: "invalid_request_error"
        }
    }
}

extension Endpoints {
    static let native = [
        Endpoint(
            "POST", "/v1/encode", .native, body: .json(fields: EncodeFields.names),
            .call { context throws(APIError) in
                try encode(context.request, context.service.limits)
            }),
        Endpoint(
            "GET", "/v1/attention", .native, query: AttentionFields.names + AttentionFields.queryShorthands,
            .call { context throws(APIError) in
                try attention(context.request, context.service.limits)
            }),
        Endpoint(
            "POST", "/v1/attention", .native, body: .json(fields: AttentionFields.names),
            .call { context throws(APIError) in
                try attention(context.request, context.service.limits)
            }),
        Endpoint(
            "GET", "/v1/models", .native,
            .immediate { context throws(APIError) in
                ModelList(models: try context.service.loaded().models).list()
            }),
        Endpoint(
            "GET", "/v1/models/{name}", .native,
            .immediate { context throws(APIError) in
                try ModelList(models: try context.service.loaded().models).one(context.parameters["name"] ?? "")
            }),
    ]

    /// Reads a request to /v1/encode.
    static func encode(_ http: HTTPRequest, _ limits: CallLimits) throws(APIError) -> Call {
        let fields = try EncodeFields(http.jsonBody(limits.request, .native))
        // The closure must not keep `fields`, whose input may be megabytes.
        let (encodingFormat, format) = (fields.encodingFormat, EncodeFormat(accept: http.headers.list("Accept")))
        return Call(fields.call) { results throws(APIError) in
            try EncodeResponse(results, encodingFormat: encodingFormat).content(format)
        }
    }

    /// Reads a request to /v1/attention.
    static func attention(_ http: HTTPRequest, _ limits: CallLimits) throws(APIError) -> Call {
        let call = try attentionFields(http, limits).call
        return Call(call) { results throws(APIError) in
            try AttentionResponse(results, limits: limits.attention).content()
        }
    }

    private static func attentionFields(
        _ http: HTTPRequest, _ limits: CallLimits
    ) throws(APIError) -> AttentionFields {
        let accept = http.headers.list("Accept")
        if http.method == "GET" || http.method == "HEAD" {
            return try AttentionFields(query: http.query, accept: accept)
        }
        if let query = http.query, !query.isEmpty {
            throw APIError(
                400, "invalid_query", param: nil,
                "A \(http.method) carries its fields in the JSON body, not in the URL.")
        }
        return try AttentionFields(http.jsonBody(limits.request, .native), accept: accept)
    }
}
