import COpenSSL

/// The files of a TLS server, all in PEM.
package struct TLSFiles: Sendable, Equatable {
    /// The certificate, followed by those that lead from it to the authority.
    package var certificate: String
    /// The private key of the certificate.
    package var key: String
    /// The authorities of whose certificates clients must show one; `nil` if clients show none.
    package var clientAuthorities: String?

    package init(certificate: String, key: String, clientAuthorities: String? = nil) {
        self.certificate = certificate
        self.key = key
        self.clientAuthorities = clientAuthorities
    }
}

/// A checked certificate and key with the settings of TLS: 1.2 and up, HTTP/1.1 only, neither renegotiation nor compression.
/// Sessions are resumed from tickets, so that no state is kept between connections. Immutable.
final class TLSContext: @unchecked Sendable {
    private let context: OpaquePointer

    init(_ files: TLSFiles) throws(HTTPServerError) {
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_server_method()) else { throw Self.failure("TLS cannot be set up") }
        self.context = context
        guard encoderd_SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 else {
            throw Self.failure("TLS 1.2 cannot be set")
        }
        encoderd_SSL_CTX_set_mode(context)
        encoderd_SSL_CTX_clear_auto_retry(context)
        encoderd_SSL_CTX_set_options(context)
        encoderd_SSL_CTX_disable_session_cache(context)
        SSL_CTX_set_num_tickets(context, 1)
        SSL_CTX_set_alpn_select_cb(context, selectProtocol, nil)
        // No terminal is asked for a key's password.
        SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in -1 }
        guard SSL_CTX_use_certificate_chain_file(context, files.certificate) == 1 else {
            throw Self.failure("the certificate \(files.certificate) cannot be used")
        }
        guard SSL_CTX_use_PrivateKey_file(context, files.key, SSL_FILETYPE_PEM) == 1,
            SSL_CTX_check_private_key(context) == 1
        else { throw Self.failure("the key \(files.key) cannot be used with \(files.certificate)") }
        if let authorities = files.clientAuthorities { try verifyClients(authorities) }
    }

    deinit { SSL_CTX_free(context) }

    private func verifyClients(_ authorities: String) throws(HTTPServerError) {
        guard SSL_CTX_load_verify_file(context, authorities) == 1, let names = SSL_load_client_CA_file(authorities)
        else { throw Self.failure("the client authorities \(authorities) cannot be used") }
        SSL_CTX_set_client_CA_list(context, names)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        // Tickets of another service that shares the key file are not taken for ours.
        let name = Array("encoderd".utf8)
        SSL_CTX_set_session_id_context(context, name, UInt32(name.count))
    }

    /// Makes the state of a connection, with memory BIOs, that awaits a client's hello; `nil` if memory is short.
    func makeSession() -> OpaquePointer? {
        guard let session = SSL_new(context) else { return nil }
        guard let incoming = BIO_new(BIO_s_mem()), let outgoing = BIO_new(BIO_s_mem()) else {
            SSL_free(session)
            return nil
        }
        SSL_set_bio(session, incoming, outgoing)
        SSL_set_accept_state(session)
        return session
    }

    private static func failure(_ what: String) -> HTTPServerError {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0 else { return HTTPServerError(description: what) }
        let reason = ERR_reason_error_string(code).map { String(cString: $0) } ?? "error \(code)"
        return HTTPServerError(description: "\(what): \(reason)")
    }
}

/// ALPN (RFC 7301): a client that names protocols must name HTTP/1.1.
private func selectProtocol(
    _ session: OpaquePointer?, _ selected: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    _ selectedLength: UnsafeMutablePointer<UInt8>?, _ offered: UnsafePointer<UInt8>?, _ offeredLength: UInt32,
    _ argument: UnsafeMutableRawPointer?
) -> Int32 {
    guard let offered, let selected, let selectedLength else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    let names = UnsafeBufferPointer(start: offered, count: Int(offeredLength))
    var index = 0
    while index < names.count {
        let length = Int(names[index])
        guard index + 1 + length <= names.count else { break }
        if names[(index + 1)..<(index + 1 + length)].elementsEqual("http/1.1".utf8) {
            selected.pointee = offered + index + 1
            selectedLength.pointee = names[index]
            return SSL_TLSEXT_ERR_OK
        }
        index += 1 + length
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL
}
