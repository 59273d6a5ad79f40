import Diagnostics
import HTTP
import JSON

extension HTTPResponse {
    /// Returns a response with a JSON body.
    static func json(_ bytes: [UInt8], status: Int = 200) -> HTTPResponse {
        HTTPResponse(status: status, headers: ["Content-Type": "application/json"], body: [ArraySegment(bytes)])
    }
}

extension HTTPRequest {
    /// Reads the body as JSON, after its content coding is undone.
    func jsonBody(_ limits: RequestLimits, _ dialect: Dialect) throws(APIError) -> JSONValue {
        // RFC 9110, 15.5.12: no body and no length, where there must be a body.
        if body.isEmpty, headers["Content-Length"] == nil, headers["Transfer-Encoding"] == nil {
            throw APIError(411, "length_required", "Send a JSON body, with its Content-Length.")
        }
        let type = (headers["Content-Type"] ?? "").split(separator: ";").first.map {
            $0.filter { $0 != " " && $0 != "\t" }.lowercased()
        }
        guard type == "application/json" || (type == nil && dialect.acceptsMissingContentType) else {
            throw APIError(
                415, "unsupported_media_type", param: "Content-Type",
                "The body must be sent with 'Content-Type: application/json', not '\((type ?? "").excerpt())'.")
        }
        let inflated = try decodedBody(limits)
        do throws(JSONError) {
            return try JSONValue(parsing: inflated, maxValues: limits.maxValues, packingNumbers: true)
        } catch {
            if error.isTooMany {
                throw APIError(
                    413, "too_many_values",
                    "The body has more than the \(limits.maxValues) values one request may have, where an array of "
                        + "numbers alone counts as one; send less at once.")
            }
            throw APIError(400, "invalid_json", "The body is not valid JSON: \(error).")
        }
    }

    /// Returns the body without its content coding.
    private func decodedBody(_ limits: RequestLimits) throws(APIError) -> [UInt8] {
        guard let name = headers.list("Content-Encoding"), name.lowercased() != "identity" else { return body }
        guard let coding = ContentCoding(name) else {
            throw APIError(
                415, "unsupported_content_encoding", param: "Content-Encoding",
                "The content coding '\(name.excerpt(40))' is not read; send gzip, deflate or the body as it is.",
                headers: ["Accept-Encoding": "gzip, deflate, identity"])
        }
        do throws(Inflater.Failure) {
            return try Inflater(coding: coding, limit: limits.maxBodyBytes, ratio: limits.maxInflateRatio).inflate(body)
        } catch {
            switch error {
            case .malformed:
                throw APIError(
                    400, "invalid_content_encoding", param: "Content-Encoding",
                    "The body is not whole and valid \(name), which its 'Content-Encoding' says it is.")
            case .tooLarge:
                throw APIError(
                    413, "body_too_large", "The body is larger than the limit of \(limits.maxBodyBytes) bytes.")
            case .ratio:
                throw APIError(
                    413, "body_too_large",
                    "The body inflates to more than \(limits.maxInflateRatio) times its size; send it as it is.")
            }
        }
    }
}
