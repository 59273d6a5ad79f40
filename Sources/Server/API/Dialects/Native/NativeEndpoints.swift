import HTTP

/// The endpoints of the native dialect.
enum NativeEndpoints {
    static let all = [
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
