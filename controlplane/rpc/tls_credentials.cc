#include "controlplane/rpc/tls_credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

namespace sallyport::controlplane {
namespace {

constexpr unsigned int kLookAgainSeconds = 10;

using Provider = std::shared_ptr<grpc::experimental::FileWatcherCertificateProvider>;

// Credentials take the options over that they are made of, and share what watches the files.
template <class Describe>
Credentials Make(const Provider& provider, std::size_t count, Describe describe) {
  Credentials credentials;
  while (credentials.size() < count) {
    grpc::experimental::TlsServerCredentialsOptions options(provider);
    options.watch_identity_key_cert_pairs();
    describe(options);
    credentials.push_back(grpc::experimental::TlsServerCredentials(options));
  }
  return credentials;
}

}  // namespace

Credentials ServerTls(const TlsIdentityFiles& identity, std::size_t count) {
  const auto provider = std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      identity.key_file, identity.chain_file, kLookAgainSeconds);
  return Make(provider, count, [](auto& options) {
    options.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  });
}

Credentials MutualTls(const TlsIdentityFiles& identity, const std::string& ca_file,
                      std::size_t count) {
  const auto provider = std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      identity.key_file, identity.chain_file, ca_file, kLookAgainSeconds);
  return Make(provider, count, [](auto& options) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  });
}

}  // namespace sallyport::controlplane
