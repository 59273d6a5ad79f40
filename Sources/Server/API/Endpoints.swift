/// The list of all endpoints. The router, `Allow`, the labels of /metrics, the hints of a 404 and the test of openapi.json
/// are made from it.
enum Endpoints {
    static let all: [Endpoint] =
        OperationsEndpoints.all
        + NativeEndpoints.all
}
