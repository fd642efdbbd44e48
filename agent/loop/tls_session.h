#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "agent/loop/descriptor.h"

namespace sallyport::agent {

// Certificates, keys and rules of TLS; null means none of it. Shared by the sessions made from it.
using TlsContext = std::shared_ptr<SSL_CTX>;
// TLS 1.2 or newer, without certificates yet; a client's does not verify anything yet.
TlsContext NewTlsServerContext();
TlsContext NewTlsClientContext();

// TLS over a descriptor, on the loop's thread. Its calls never wait: EAGAIN says that the
// descriptor must be ready first, in whichever direction, and that the same call is then to be made
// again.
class TlsSession {
 public:
  // `descriptor` outlives it.
  TlsSession(const TlsContext& context, Descriptor& descriptor);
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  void BeServer();
  // `host`, a name or an address, is what the server's certificate must be for.
  absl::Status BeClient(const std::string& host);

  IoResult Handshake();
  // The end is the peer's close_notify alone. A connection that was cut is an error.
  IoResult Read(char* room, std::size_t size);
  IoResult Write(std::string_view first, std::string_view second);

  // Tells the peer that this side has nothing more to say, if it can be told at once.
  void SayEnd();

  // Bytes have come that Read has not given yet, or what may turn out to be some.
  bool has_pending() const;
  // What OpenSSL has to say of the last call that failed; empty where it has nothing to say.
  const std::string& complaint() const { return complaint_; }

 private:
  struct Deleter {
    void operator()(SSL* ssl) const;
  };
  // Of a call that returned `returned`, which is no success.
  IoResult Failed(int returned);

  std::unique_ptr<SSL, Deleter> ssl_;
  std::string complaint_;
};

}  // namespace sallyport::agent
