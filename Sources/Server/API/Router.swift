/// What a path and method ask for.
enum Route: Sendable, Equatable {
    case encode, attention
}

/// Finds the route of a request.
struct Router: Sendable {
    struct Match {
        /// The path as documented, for metrics; empty: none.
        var pattern: String
        var route: Result<Route, APIError>
    }

    private static let table: [(path: String, methods: [(String, Route)])] = [
        ("/v1/encode", [("POST", .encode)]),
        ("/v1/attention", [("GET", .attention), ("POST", .attention)]),
    ]

    func match(_ method: String, _ path: String) -> Match {
        guard let entry = Router.table.first(where: { $0.path == path }) else {
            return Match(
                pattern: "", route: .failure(APIError(404, "not_found", "There is no '\(path.prefix(200))' here.")))
        }
        return choose(method, path, entry.path, entry.methods)
    }

    private func choose(_ method: String, _ path: String, _ pattern: String, _ methods: [(String, Route)]) -> Match {
        let asked = method == "HEAD" ? "GET" : method
        if let route = methods.first(where: { $0.0 == asked })?.1 {
            return Match(pattern: pattern, route: .success(route))
        }
        var allowed = methods.map(\.0)
        if allowed.contains("GET") { allowed.append("HEAD") }
        let list = allowed.joined(separator: ", ")
        return Match(
            pattern: pattern,
            route: .failure(
                APIError(
                    405, "method_not_allowed", "\(path.prefix(200)) takes \(list), not \(method.prefix(20)).",
                    headers: ["Allow": list])))
    }
}
