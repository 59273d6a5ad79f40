import CResources
import HTTP

/// The endpoints for orchestrators, monitoring and people. They share the native dialect's errors.
enum OperationsEndpoints {
    static let all: [Endpoint] = {
        let page = StaticContent(EmbeddedFiles.page, "text/html; charset=utf-8")
        let document = StaticContent(EmbeddedFiles.openAPI, "application/json")
        return [
            Endpoint("GET", "/", .native, .immediate { page.response(to: $0) }),
            Endpoint("GET", "/health", .native, .immediate { _ in status("ok") }),
            Endpoint(
                "GET", "/ready", .native,
                .immediate { context throws(APIError) in
                    try context.service.checkReady()
                    return status("ready")
                }),
            Endpoint("GET", "/metrics", .native, .immediate { metrics($0.service) }),
            Endpoint("GET", "/openapi.json", .native, .immediate { document.response(to: $0) }),
        ]
    }()

    private static func status(_ word: String) -> HTTPResponse { .json(Array("{\"status\":\"\(word)\"}".utf8)) }

    private static func metrics(_ service: Service) -> HTTPResponse {
        let loaded = service.loadedIfReady
        let page = MetricsPage(
            metrics: service.recorder.metrics, queue: loaded?.engine.status ?? QueueStatus(),
            threads: loaded?.engine.threads ?? 0, models: loaded?.models.models ?? [],
            connections: service.connectionCount, version: ENCODERD_VERSION)
        return HTTPResponse(
            status: 200, headers: ["Content-Type": "text/plain; version=0.0.4; charset=utf-8"],
            body: [ArraySegment(Array(page.text().utf8))])
    }
}
