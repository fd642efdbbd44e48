#include "agent/upstream/tls_client.h"

#include <openssl/ssl.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/tls.h"

namespace sallyport::agent {

absl::StatusOr<TlsContext> MakeTlsClient(const std::string& ca_file) {
  TlsContext context = NewTlsClientContext();
  const int is_read = ca_file.empty() ? SSL_CTX_set_default_verify_paths(context.get())
                                      : SSL_CTX_load_verify_file(context.get(), ca_file.c_str());
  if (is_read != 1)
    return absl::FailedPreconditionError(
        absl::StrCat("cannot read the certificates of ", ca_file, ": ", OpenSslError()));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  return context;
}

}  // namespace sallyport::agent
