// OpenSSL 3, with functions for its macros, which Swift cannot import.
#ifndef ENCODERD_COPENSSL_H
#define ENCODERD_COPENSSL_H

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

static inline long encoderd_SSL_CTX_set_min_proto_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_min_proto_version(context, version);
}
// Frees the buffers of idle connections, and allows partial writes that resume from a different buffer.
static inline void encoderd_SSL_CTX_set_mode(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}
static inline void encoderd_SSL_CTX_set_options(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
}
static inline void encoderd_SSL_CTX_disable_session_cache(SSL_CTX *context) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}
// Makes SSL_read return after a record without application data instead of reading the next record.
static inline void encoderd_SSL_CTX_clear_auto_retry(SSL_CTX *context) {
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
}
static inline void encoderd_SSL_set_message_callback(SSL *session,
                                                     void (*callback)(int, int, int, const void *, size_t, SSL *,
                                                                      void *),
                                                     void *argument) {
    SSL_set_msg_callback(session, callback);
    SSL_set_msg_callback_arg(session, argument);
}
// Returns the number of bytes in a memory BIO and points `*data` to them, valid until the next use of the BIO.
static inline long encoderd_BIO_get_mem_data(BIO *bio, char **data) { return BIO_get_mem_data(bio, data); }

#endif
