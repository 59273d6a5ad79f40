import Diagnostics

/// A table that finds the endpoint of a request.
struct Router: Sendable {
    /// The outcome of matching a request's method and path.
    final class Match: Sendable {
        enum Outcome: Sendable {
            case endpoint(Endpoint)
            /// An OPTIONS request: the methods that the path takes.
            case options(allow: String)
            case refused(APIError)
        }

        let outcome: Outcome
        /// The dialect of the response, also of an error.
        let dialect: Dialect
        /// The path in the API's documentation, for metrics; empty if there is no such path.
        let label: String
        /// The values of the path's parameters, by name.
        let parameters: [String: String]

        init(_ outcome: Outcome, _ dialect: Dialect, label: String, parameters: [String: String] = [:]) {
            self.outcome = outcome
            self.dialect = dialect
            self.label = label
            self.parameters = parameters
        }
    }

    /// The endpoints of one path.
    private final class Path: Sendable {
        let pattern: PathPattern
        let dialect: Dialect
        /// The matches by method, made once for paths without parameters.
        let matches: [(method: String, match: Match)]
        /// The value of the `Allow` header.
        let allow: String

        /// - Parameter endpoints: The endpoints of this path, at least one.
        init(_ endpoints: [Endpoint]) {
            pattern = endpoints[0].path
            dialect = endpoints[0].dialect
            matches = endpoints.map {
                ($0.method, Match(.endpoint($0), $0.dialect, label: $0.path.description))
            }
            var methods = endpoints.map(\.method)
            if methods.contains("GET") { methods.append("HEAD") }
            allow = (methods + ["OPTIONS"]).joined(separator: ", ")
        }
    }

    /// The paths without parameters.
    private let fixed: [String: Path]
    /// The paths with parameters, the most specific first.
    private let patterns: [Path]
    /// The paths without parameters in the order of the endpoints, for the hints of a 404.
    private let known: [String]
    /// The dialects of path prefixes, the longest prefix first.
    private let prefixes: [(prefix: String, dialect: Dialect)]
    /// The value of the `Allow` header for the server as a whole.
    private let allow: String

    init(_ endpoints: [Endpoint]) {
        var groups: [[Endpoint]] = []
        var prefixes: [(prefix: String, dialect: Dialect)] = []
        for endpoint in endpoints {
            if let index = groups.firstIndex(where: { $0[0].path == endpoint.path }) {
                groups[index].append(endpoint)
            } else {
                groups.append([endpoint])
            }
            for prefix in endpoint.dialect.prefixes where !prefixes.contains(where: { $0.prefix == prefix }) {
                prefixes.append((prefix, endpoint.dialect))
            }
        }
        let paths = groups.map(Path.init)
        let isFixed = paths.filter { !$0.pattern.hasParameters }
        fixed = Dictionary(uniqueKeysWithValues: isFixed.map { ($0.pattern.description, $0) })
        known = isFixed.map(\.pattern.description)
        patterns = paths.filter(\.pattern.hasParameters).sorted {
            $0.pattern.literalLength > $1.pattern.literalLength
        }
        self.prefixes = prefixes.sorted { $0.prefix.utf8.count > $1.prefix.utf8.count }
        let others = Set(endpoints.map(\.method)).subtracting(["GET"]).sorted()
        allow = (["GET", "HEAD"] + others + ["OPTIONS"]).joined(separator: ", ")
    }

    /// - Parameter path: The percent-decoded path of the request's target.
    func match(_ method: String, _ path: String) -> Match {
        // OPTIONS * asks about the server as a whole (RFC 9110, 9.3.7).
        if path == "*" { return Match(.options(allow: allow), .native, label: "*") }
        guard let (found, parameters) = find(path) else {
            let hint =
                SimilarNames.nearest(to: path, among: known).map { "; did you mean '\($0)'?" } ?? "; see /openapi.json."
            let error = APIError(404, "not_found", "There is no '\(path.excerpt(200))' here\(hint)")
            return Match(.refused(error), prefixDialect(of: path), label: "")
        }
        let wanted = method == "HEAD" ? "GET" : method
        if let match = found.matches.first(where: { $0.method == wanted })?.match {
            if parameters.isEmpty { return match }
            return Match(match.outcome, match.dialect, label: match.label, parameters: parameters)
        }
        let allow = found.allow
        if method == "OPTIONS" {
            return Match(.options(allow: allow), found.dialect, label: found.pattern.description)
        }
        let error = APIError(
            405, "method_not_allowed", "\(path.excerpt(200)) takes \(allow), not \(method.excerpt(20)).",
            headers: ["Allow": allow])
        return Match(.refused(error), found.dialect, label: found.pattern.description)
    }

    /// Returns the dialect in which errors are written for a path, also if it is the path of no endpoint.
    func dialect(of path: String) -> Dialect { find(path)?.path.dialect ?? prefixDialect(of: path) }

    /// Returns the dialect in which errors are written for a path of no endpoint.
    private func prefixDialect(of path: String) -> Dialect {
        prefixes.first { path.hasPrefix($0.prefix) }?.dialect ?? .native
    }

    private func find(_ path: String) -> (path: Path, parameters: [String: String])? {
        if let exact = find(path, where: { _ in true }) { return exact }
        let trimmed = Router.withoutExtraSlashes(path)
        return trimmed == path ? nil : find(trimmed) { $0.dialect.ignoresExtraSlashes }
    }

    private func find(
        _ path: String, where isAllowed: (Path) -> Bool
    ) -> (path: Path, parameters: [String: String])? {
        if let found = fixed[path], isAllowed(found) { return (found, [:]) }
        for candidate in patterns where isAllowed(candidate) {
            if let parameters = candidate.pattern.match(path) { return (candidate, parameters) }
        }
        return nil
    }

    private static func withoutExtraSlashes(_ path: String) -> String {
        var path = path[...]
        while path.hasPrefix("//") { path = path.dropFirst() }
        if path.hasSuffix("/"), path.utf8.count > 1 { path = path.dropLast() }
        return String(path)
    }
}
