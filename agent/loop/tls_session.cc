#include "agent/loop/tls_session.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "agent/loop/endpoint.h"

namespace sallyport::agent {
namespace {

// The largest record.
constexpr std::size_t kRecordBytes = std::size_t{16} << 10;

// OpenSSL reads and writes through the descriptor, so that what is found there is remembered.
int BioRead(BIO* bio, char* room, std::size_t size, std::size_t* n) {
  BIO_clear_retry_flags(bio);
  const IoResult result = static_cast<Descriptor*>(BIO_get_data(bio))->Read(room, size);
  *n = result.n;
  if (result.would_block()) BIO_set_retry_read(bio);
  if (result.ok() && result.n == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  errno = result.error;
  return result.ok() && result.n > 0 ? 1 : 0;
}

int BioWrite(BIO* bio, const char* bytes, std::size_t size, std::size_t* n) {
  BIO_clear_retry_flags(bio);
  const IoResult result = static_cast<Descriptor*>(BIO_get_data(bio))->Write({bytes, size});
  *n = result.n;
  if (result.would_block()) BIO_set_retry_write(bio);
  errno = result.error;
  return result.ok() ? 1 : 0;
}

long BioControl(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* DescriptorMethod() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "descriptor");
    BIO_meth_set_read_ex(made, BioRead);
    BIO_meth_set_write_ex(made, BioWrite);
    BIO_meth_set_ctrl(made, BioControl);
    return made;
  }();
  return method;
}

TlsContext NewContext(const SSL_METHOD* method) {
  TlsContext context(SSL_CTX_new(method), SSL_CTX_free);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  // A write may be repeated with a copy of its bytes, and says how far it came. A connection that
  // is idle keeps no buffers.
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  // Whole records in one read, and often more than one.
  SSL_CTX_set_read_ahead(context.get(), 1);
  return context;
}

}  // namespace

TlsContext NewTlsServerContext() { return NewContext(TLS_server_method()); }
TlsContext NewTlsClientContext() { return NewContext(TLS_client_method()); }

void TlsSession::Deleter::operator()(SSL* ssl) const { SSL_free(ssl); }

TlsSession::TlsSession(const TlsContext& context, Descriptor& descriptor)
    : ssl_(SSL_new(context.get())) {
  BIO* bio = BIO_new(DescriptorMethod());
  BIO_set_data(bio, &descriptor);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
}

void TlsSession::BeServer() { SSL_set_accept_state(ssl_.get()); }

absl::Status TlsSession::BeClient(const std::string& host) {
  SSL_set_connect_state(ssl_.get());
  bool is_set = false;
  if (IpAddress::Parse(host)) {
    is_set = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str()) == 1;
  } else {
    SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    is_set = SSL_set1_host(ssl_.get(), host.c_str()) == 1 &&
             SSL_set_tlsext_host_name(ssl_.get(), host.c_str()) == 1;
  }
  if (is_set) return absl::OkStatus();
  return absl::InvalidArgumentError("the server's name cannot be sent in TLS");
}

IoResult TlsSession::Handshake() {
  ERR_clear_error();
  const int returned = SSL_do_handshake(ssl_.get());
  return returned == 1 ? IoResult{} : Failed(returned);
}

IoResult TlsSession::Read(char* room, std::size_t size) {
  ERR_clear_error();
  std::size_t n = 0;
  const int returned = SSL_read_ex(ssl_.get(), room, size, &n);
  return returned == 1 ? IoResult{.n = n} : Failed(returned);
}

IoResult TlsSession::Write(std::string_view first, std::string_view second) {
  ERR_clear_error();
  std::size_t n = 0;
  int returned;
  if (!second.empty() && first.size() + second.size() <= kRecordBytes) {
    // One record for a head and its body, and so one call of the system.
    std::array<char, kRecordBytes> both;
    std::memcpy(both.data(), first.data(), first.size());
    std::memcpy(both.data() + first.size(), second.data(), second.size());
    returned = SSL_write_ex(ssl_.get(), both.data(), first.size() + second.size(), &n);
    OPENSSL_cleanse(both.data(), first.size() + second.size());
  } else {
    const std::string_view part = first.empty() ? second : first;
    returned = SSL_write_ex(ssl_.get(), part.data(), part.size(), &n);
  }
  return returned == 1 ? IoResult{.n = n} : Failed(returned);
}

void TlsSession::SayEnd() {
  ERR_clear_error();
  if (SSL_is_init_finished(ssl_.get()) == 1) SSL_shutdown(ssl_.get());
}

IoResult TlsSession::Failed(int returned) {
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return {.error = EAGAIN};
    case SSL_ERROR_ZERO_RETURN:
      return {};
    default:
      break;
  }
  const unsigned long error = ERR_peek_error();
  const char* reason = error != 0 ? ERR_reason_error_string(error) : nullptr;
  if (SSL_get_verify_result(ssl_.get()) != X509_V_OK) {
    complaint_ = X509_verify_cert_error_string(SSL_get_verify_result(ssl_.get()));
  } else if (reason != nullptr) {
    complaint_ = reason;
  }
  return {.error = EPROTO};
}

bool TlsSession::has_pending() const { return SSL_has_pending(ssl_.get()) == 1; }

}  // namespace sallyport::agent
