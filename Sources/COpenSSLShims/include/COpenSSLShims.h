/* What Swift cannot import from OpenSSL: function-like macros, casts in macros and variadic functions. */
#ifndef CARILLON_COPENSSL_SHIMS_H
#define CARILLON_COPENSSL_SHIMS_H
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/time.h>

static inline EVP_PKEY *carillon_p256_key(void) {
  return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
}
static inline int carillon_ssl_ctx_min_version(SSL_CTX *context, int version) {
  return (int)SSL_CTX_set_min_proto_version(context, version);
}
static inline unsigned long carillon_ssl_set_options(SSL *ssl, uint64_t options) {
  return SSL_set_options(ssl, options);
}
static inline uint64_t carillon_op_no_query_mtu(void) { return SSL_OP_NO_QUERY_MTU; }
static inline uint64_t carillon_op_no_renegotiation(void) { return SSL_OP_NO_RENEGOTIATION; }
static inline uint64_t carillon_op_no_ticket(void) { return SSL_OP_NO_TICKET; }
static inline long carillon_ssl_set_mtu(SSL *ssl, long mtu) { return SSL_set_mtu(ssl, mtu); }
static inline long carillon_dtls_set_link_mtu(SSL *ssl, long mtu) { return DTLS_set_link_mtu(ssl, mtu); }
static inline long carillon_dtls_get_timeout(SSL *ssl, struct timeval *left) {
  return DTLSv1_get_timeout(ssl, left);
}
static inline long carillon_dtls_handle_timeout(SSL *ssl) { return DTLSv1_handle_timeout(ssl); }
static inline void carillon_bio_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void carillon_bio_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }
static inline void carillon_ssl_ctx_set_app_data(SSL_CTX *context, void *data) {
  SSL_CTX_set_app_data(context, data);
}
static inline void carillon_ssl_set_app_data(SSL *ssl, void *data) { SSL_set_app_data(ssl, data); }
static inline void *carillon_ssl_get_app_data(const SSL *ssl) { return SSL_get_app_data(ssl); }
#endif
