import CResources

/// The files that are part of the binary (Sources/CResources).
enum EmbeddedFiles {
    /// The OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.0) of every route and field.
    static let openAPI = bytes(embedded_openapi())
    /// The page to try the server in a browser; it loads nothing from elsewhere.
    static let page = bytes(embedded_page())

    private static func bytes(_ file: embedded_file) -> [UInt8] {
        Array(UnsafeBufferPointer(start: file.bytes, count: file.count))
    }
}
