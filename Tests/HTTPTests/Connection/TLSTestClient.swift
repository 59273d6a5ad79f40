import COpenSSL
import Glibc
import TestSupport

@testable import HTTP

/// The certificates of Tests/Reference/tls.sh.
enum TestCertificates {
    static func path(_ name: String) -> String { "\(Folders.reference)/tls/\(name)" }

    static let server = TLSFiles(certificate: path("server-chain.pem"), key: path("server.key"))
    static let renewed = TLSFiles(certificate: path("renewed-chain.pem"), key: path("renewed.key"))
}

/// The client's side of TLS on a blocking socket, for tests only.
final class TestTLS {
    struct Options {
        var versions = (TLS1_2_VERSION, TLS1_3_VERSION)
        /// The protocol names for ALPN.
        var protocols: [String] = []
        /// The name of a client's certificate and key.
        var certificate: String?
    }

    enum Failure: Error { case context, handshake(String) }

    private let context: OpaquePointer
    private let session: OpaquePointer

    /// Shakes hands; the server's certificate must lead to the tests' root.
    init(_ descriptor: Int32, _ options: Options = Options()) throws {
        guard let context = SSL_CTX_new(TLS_client_method()) else { throw Failure.context }
        self.context = context
        SSL_CTX_load_verify_file(context, TestCertificates.path("root.pem"))
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        if let name = options.certificate {
            SSL_CTX_use_certificate_file(context, TestCertificates.path("\(name).pem"), SSL_FILETYPE_PEM)
            SSL_CTX_use_PrivateKey_file(context, TestCertificates.path("\(name).key"), SSL_FILETYPE_PEM)
        }
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(options.versions.0), nil)
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(options.versions.1), nil)
        guard let session = SSL_new(context) else { throw Failure.context }
        self.session = session
        let names = options.protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
        if !names.isEmpty { SSL_set_alpn_protos(session, names, UInt32(names.count)) }
        SSL_set_fd(session, descriptor)
        ERR_clear_error()
        guard SSL_connect(session) == 1 else { throw Failure.handshake(Self.reason()) }
    }

    deinit {
        SSL_free(session)
        SSL_CTX_free(context)
    }

    private static func reason() -> String {
        ERR_reason_error_string(ERR_get_error()).map { String(cString: $0) } ?? "the connection ended"
    }

    /// Sends like send(2).
    func send(_ bytes: UnsafeRawBufferPointer) -> Int { Int(SSL_write(session, bytes.baseAddress, Int32(bytes.count))) }

    /// Receives like recv(2). Returns 0 at an orderly end, -1 at one without close_notify.
    func receive(_ space: UnsafeMutableRawBufferPointer) -> Int {
        ERR_clear_error()
        let count = SSL_read(session, space.baseAddress, Int32(space.count))
        if count > 0 { return Int(count) }
        return SSL_get_error(session, count) == SSL_ERROR_ZERO_RETURN ? 0 : -1
    }

    func shutdownWriting() { SSL_shutdown(session) }

    /// Sends a key update (TLS 1.3), which may request the server's. Returns false if the connection has ended.
    func updateKey(isRequest: Bool) -> Bool {
        ERR_clear_error()
        return SSL_key_update(session, isRequest ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED) == 1
            && SSL_do_handshake(session) == 1
    }

    var selectedProtocol: String {
        var name: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        SSL_get0_alpn_selected(session, &name, &length)
        return String(decoding: UnsafeBufferPointer(start: name, count: Int(length)), as: UTF8.self)
    }

    var serverName: String {
        guard let certificate = SSL_get1_peer_certificate(session) else { return "" }
        defer { X509_free(certificate) }
        var text = [CChar](repeating: 0, count: 256)
        X509_NAME_oneline(X509_get_subject_name(certificate), &text, 256)
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
