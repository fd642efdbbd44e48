#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>
#include <vector>

namespace sallyport::controlplane {

// PEM files. They are looked at again every ten seconds, so that a renewed certificate is served to
// new connections without a restart; while key and certificate do not match, new handshakes fail.
struct TlsIdentityFiles {
  std::string key_file;
  std::string chain_file;
};

// `count` credentials over one look at the files: a guard belongs to its credentials.
using Credentials = std::vector<std::shared_ptr<grpc::ServerCredentials>>;

// TLS without client certificates.
Credentials ServerTls(const TlsIdentityFiles& identity, std::size_t count);

// TLS that ends the handshake unless the client shows a certificate that leads to a CA in
// `ca_file`.
Credentials MutualTls(const TlsIdentityFiles& identity, const std::string& ca_file,
                      std::size_t count);

}  // namespace sallyport::controlplane
