import ArgumentParser
import HTTP
import Server

/// Where the server is found, and who may talk to it.
struct ListenOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The address or name to listen on.", valueName: "address"))
    var host = "127.0.0.1"
    @Option(help: ArgumentHelp("The port to listen on; 0 takes a free one.", valueName: "number"))
    var port = 8080
    @Option(
        help: ArgumentHelp(
            "HOST:PORT, http://HOST:PORT (never TLS) or unix:PATH to listen on, not --host and --port; repeat it for more. Also systemd's sockets.",
            valueName: "address"))
    var listen: [String] = []
    @Option(help: ArgumentHelp("A certificate, with its chain, in PEM: TCP clients speak TLS.", valueName: "file"))
    var tlsCert: String?
    @Option(help: ArgumentHelp("The certificate's key, in PEM, without a password.", valueName: "file"))
    var tlsKey: String?
    @Option(
        help: ArgumentHelp("Authorities, in PEM, of whom TLS clients must show a certificate.", valueName: "file"))
    var tlsClientCa: String?

    @Option(
        help: ArgumentHelp(
            "A file with a key a line: clients must send one, as 'Authorization: Bearer KEY'. SIGHUP reads it again.",
            valueName: "file"))
    var apiKeyFile: String?
    @Option(
        help: ArgumentHelp(
            "An origin, such as https://example.com, whose pages may read answers, or *; repeat it for more.",
            valueName: "origin"))
    var corsOrigin: [String] = []

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port takes 0 to 65535, not \(port).") }
        for text in listen where HTTPAddress(text) == nil {
            throw ValidationError("--listen takes HOST:PORT, http://HOST:PORT or unix:PATH, not '\(text)'.")
        }
        if CORSPolicy(corsOrigin) == nil {
            throw ValidationError(
                "--cors-origin takes SCHEME://HOST[:PORT] or *, not '\(corsOrigin.joined(separator: " "))'.")
        }
        guard (tlsCert == nil) == (tlsKey == nil) else {
            throw ValidationError("--tls-cert and --tls-key are given together.")
        }
        if tlsClientCa != nil, tlsCert == nil { throw ValidationError("--tls-client-ca needs --tls-cert.") }
    }

    /// Every place to listen on; taken once, since it takes over what systemd handed over.
    func addresses() -> [HTTPAddress] {
        let named = listen.compactMap(HTTPAddress.init) + HTTPAddress.inheritedSockets()
        return named.isEmpty ? [.tcp(host: host, port: port)] : named
    }

    var cors: CORSPolicy? { corsOrigin.isEmpty ? nil : CORSPolicy(corsOrigin) }

    var tls: TLSFiles? {
        guard let tlsCert, let tlsKey else { return nil }
        return TLSFiles(certificate: tlsCert, key: tlsKey, clientAuthorities: tlsClientCa)
    }
}
