import ArgumentParser
import HTTP

/// The addresses of the server.
struct ListenOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Address or name to listen on.", valueName: "address"))
    var host = "127.0.0.1"
    @Option(help: ArgumentHelp("Port to listen on; 0 takes a free one.", valueName: "number"))
    var port = 8080
    @Option(
        help: ArgumentHelp(
            "HOST:PORT, http://HOST:PORT (never TLS) or unix:PATH to listen on instead of --host and --port; may be repeated. Sockets that systemd passes are used too.",
            valueName: "address"))
    var listen: [String] = []

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port takes 0 to 65535, not \(port).") }
        for text in listen where HTTPAddress(text) == nil {
            throw ValidationError("--listen takes HOST:PORT, http://HOST:PORT or unix:PATH, not '\(text)'.")
        }
    }

    /// Returns every address to listen on. It must be called once, since it takes over the sockets that systemd passes.
    func addresses() -> [HTTPAddress] {
        let named = listen.compactMap(HTTPAddress.init) + HTTPAddress.inheritedSockets()
        return named.isEmpty ? [.tcp(host: host, port: port)] : named
    }
}

/// TLS, API keys and allowed origins.
struct AccessOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Certificate in PEM with its chain; TCP clients then speak TLS. SIGHUP reloads it.", valueName: "file"),
        completion: .file())
    var tlsCert: String?
    @Option(
        help: ArgumentHelp("Private key of the certificate, in PEM, without a password.", valueName: "file"),
        completion: .file())
    var tlsKey: String?
    @Option(
        help: ArgumentHelp(
            "Certificate authorities in PEM; TLS clients must show a certificate of one of them.", valueName: "file"),
        completion: .file())
    var tlsClientCa: String?
    @Option(
        help: ArgumentHelp(
            "File with one API key per line; clients must send one of them as 'Authorization: Bearer KEY'. SIGHUP reloads it.",
            valueName: "file"), completion: .file())
    var apiKeyFile: String?
    @Option(
        help: ArgumentHelp(
            "Origin, such as https://example.com, whose pages may read responses, or *; may be repeated.",
            valueName: "origin"))
    var corsOrigin: [String] = []
    @Option(
        help: ArgumentHelp(
            "Header in which the proxy before this server names its client, such as X-Forwarded-For; clients share time fairly by it.",
            valueName: "header"))
    var trustForwardedFor: String?

    func validate() throws {
        if CORSPolicy(corsOrigin) == nil {
            throw ValidationError(
                "--cors-origin takes SCHEME://HOST[:PORT] or *, not '\(corsOrigin.joined(separator: " "))'.")
        }
        if let name = trustForwardedFor, !HTTPGrammar.isToken(name.utf8) {
            throw ValidationError("--trust-forwarded-for takes the name of a header, not '\(name)'.")
        }
        guard (tlsCert == nil) == (tlsKey == nil) else {
            throw ValidationError("--tls-cert and --tls-key are given together.")
        }
        if tlsClientCa != nil, tlsCert == nil { throw ValidationError("--tls-client-ca needs --tls-cert.") }
    }

    var cors: CORSPolicy? { corsOrigin.isEmpty ? nil : CORSPolicy(corsOrigin) }

    var tls: TLSFiles? {
        guard let tlsCert, let tlsKey else { return nil }
        return TLSFiles(certificate: tlsCert, key: tlsKey, clientAuthorities: tlsClientCa)
    }
}
