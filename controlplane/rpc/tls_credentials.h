#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

namespace sallyport::controlplane {

// PEM files. They are looked at again every ten seconds, so that a renewed certificate is served to
// new connections without a restart; while key and certificate do not match, new handshakes fail.
struct TlsIdentityFiles {
  std::string key_file;
  std::string chain_file;
};

// TLS without client certificates.
std::shared_ptr<grpc::ServerCredentials> ServerTls(const TlsIdentityFiles& identity);

// TLS that ends the handshake unless the client shows a certificate that leads to a CA in
// `ca_file`.
std::shared_ptr<grpc::ServerCredentials> MutualTls(const TlsIdentityFiles& identity,
                                                   const std::string& ca_file);

}  // namespace sallyport::controlplane
