import Diagnostics
import JSON

/// What a path and method ask for.
enum Route: Sendable, Equatable {
    case encode, attention
    case health, ready, metrics
    case models
    case model(name: String)
    case openAPI, page
    /// OPTIONS: what the path takes.
    case methods(String)

    func takesBody(_ method: String) -> Bool {
        switch self {
        case .encode, .attention: method == "POST"
        default: false
        }
    }
}

/// Finds the route of a request.
struct Router: Sendable {
    struct Match {
        /// The path as documented, for metrics; empty: none.
        var pattern: String
        var route: Result<Route, APIError>
    }

    private static let table: [(path: String, methods: [(String, Route)])] = [
        ("/", [("GET", .page)]),
        ("/health", [("GET", .health)]),
        ("/ready", [("GET", .ready)]),
        ("/metrics", [("GET", .metrics)]),
        ("/openapi.json", [("GET", .openAPI)]),
        ("/v1/encode", [("POST", .encode)]),
        ("/v1/attention", [("GET", .attention), ("POST", .attention)]),
        ("/v1/models", [("GET", .models)]),
    ]
    private static let modelPrefix = "/v1/models/"

    func match(_ method: String, _ path: String) -> Match {
        // OPTIONS * asks about the server as a whole (RFC 9110, 9.3.7).
        if path == "*" { return Match(pattern: "*", route: .success(.methods("GET, HEAD, POST, OPTIONS"))) }
        if let entry = Router.table.first(where: { $0.path == path }) {
            return choose(method, path, entry.path, entry.methods)
        }
        if path.hasPrefix(Router.modelPrefix), path.utf8.count > Router.modelPrefix.utf8.count {
            let name = String(path.dropFirst(Router.modelPrefix.count))
            return choose(method, path, "/v1/models/{name}", [("GET", .model(name: name))])
        }
        let known = Router.table.map(\.path)
        let hint =
            SimilarNames.nearest(to: path, among: known).map { "; did you mean '\($0)'?" } ?? "; see /openapi.json."
        return Match(
            pattern: "", route: .failure(APIError(404, "not_found", "There is no '\(path.excerpt(200))' here\(hint)")))
    }

    private func choose(_ method: String, _ path: String, _ pattern: String, _ methods: [(String, Route)]) -> Match {
        let asked = method == "HEAD" ? "GET" : method
        if let route = methods.first(where: { $0.0 == asked })?.1 {
            return Match(pattern: pattern, route: .success(route))
        }
        var allowed = methods.map(\.0)
        if allowed.contains("GET") { allowed.append("HEAD") }
        let list = (allowed + ["OPTIONS"]).joined(separator: ", ")
        if method == "OPTIONS" { return Match(pattern: pattern, route: .success(.methods(list))) }
        return Match(
            pattern: pattern,
            route: .failure(
                APIError(
                    405, "method_not_allowed", "\(path.excerpt(200)) takes \(list), not \(method.excerpt(20)).",
                    headers: ["Allow": list])))
    }
}
