#include "agent/listen/http_listener.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/tls.h"

namespace sallyport::agent {
namespace {

constexpr unsigned char kHttp11[] = "\x08http/1.1";

// A client that offers protocols must offer ours; one that offers none speaks HTTP/1.1 anyway.
int SelectProtocol(SSL*, const unsigned char** out, unsigned char* out_size,
                   const unsigned char* in, unsigned in_size, void*) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kHttp11, sizeof kHttp11 - 1, in, in_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

absl::StatusOr<Endpoint> ParseEndpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  std::string_view host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  if (colon != std::string_view::npos && !host.empty()) {
    const std::string_view port = text.substr(colon + 1);
    unsigned number = 0;
    if (absl::SimpleAtoi(ToAbsl(port), &number) && number <= 65535) {
      auto endpoint = Endpoint::Numeric(std::string(host), std::string(port));
      if (endpoint.ok()) return endpoint;
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("listen: \"", ToAbsl(text), "\" is no address such as 127.0.0.1:8443"));
}

}  // namespace

absl::StatusOr<TlsContext> ServerTls(const std::string& cert_file, const std::string& key_file) {
  ASSIGN_OR_RETURN(const std::string chain_pem, ReadFile(cert_file));
  ASSIGN_OR_RETURN(const std::string key_pem, ReadSecretFile(key_file));
  TlsContext context = NewTlsServerContext();
  SSL_CTX* raw = context.get();
  SSL_CTX_set_options(raw, SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_alpn_select_cb(raw, SelectProtocol, nullptr);
  const auto chain = CertificatesFromPem(chain_pem);
  bool is_chain = chain.ok() && SSL_CTX_use_certificate(raw, chain->front().get()) == 1;
  for (std::size_t i = 1; is_chain && i < chain->size(); ++i) {
    is_chain = SSL_CTX_add1_chain_cert(raw, (*chain)[i].get()) == 1;
  }
  if (!is_chain) {
    return absl::InvalidArgumentError(
        absl::StrCat("tls.cert_file: ", cert_file, " holds no certificate chain: ",
                     chain.ok() ? OpenSslError() : std::string(chain.status().message())));
  }
  const auto key = KeyFromPem(key_pem);
  if (!key.ok() || SSL_CTX_use_PrivateKey(raw, key->get()) != 1 ||
      SSL_CTX_check_private_key(raw) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("tls.key_file: ", key_file, " is not the key of ", cert_file));
  }
  return context;
}

absl::Status CheckListen(std::string_view address, bool has_tls) {
  ASSIGN_OR_RETURN(const Endpoint endpoint, ParseEndpoint(address));
  if (has_tls || endpoint.address().is_loopback()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "listen: ", ToAbsl(address),
      " can be reached by others, and without `tls` tokens would cross the network in clear: set "
      "tls.cert_file and tls.key_file, or listen on 127.0.0.1"));
}

bool ListensEverywhere(std::string_view address) {
  const auto endpoint = ParseEndpoint(address);
  return endpoint.ok() && endpoint->address().is_unspecified();
}

absl::StatusOr<std::unique_ptr<HttpListener>> HttpListener::Create(Loop& loop, const Clock& clock,
                                                                   ListenerOptions options) {
  std::unique_ptr<HttpListener> listener(new HttpListener(loop, clock, std::move(options)));
  RETURN_IF_ERROR(listener->Bind());
  return listener;
}

absl::Status HttpListener::Bind() {
  RETURN_IF_ERROR(CheckListen(options_.address, is_tls()));
  ASSIGN_OR_RETURN(const Endpoint endpoint, ParseEndpoint(options_.address));
  auto acceptor = Acceptor::Listen(loop_, endpoint);
  if (!acceptor.ok()) {
    return absl::UnavailableError(
        absl::StrCat("listen: ", options_.address, ": ", acceptor.status().message()));
  }
  acceptor_ = *std::move(acceptor);
  address_ = acceptor_->local().Printed();
  return absl::OkStatus();
}

void HttpListener::Start(HttpService& service) {
  service_ = &service;
  loop_.Spawn(Accept());
  loop_.Every(absl::Seconds(1), [this] {
    for (ClientConnection* connection : connections_) connection->Sweep();
    strangers_.Sweep(clock_.SinceBoot());
  });
}

Task<void> HttpListener::Accept() {
  for (;;) {
    Endpoint peer;
    const IoResult accepted = co_await acceptor_->Accept(peer);
    if (!accepted.ok()) {
      if (is_draining_) co_return;
      // Out of descriptors, most likely: accepting again at once would only burn the processor.
      LogWarning("accept_failed", {{"listen", address_}, {"message", strerror(accepted.error)}});
      co_await Sleep(loop_, absl::Milliseconds(100));
      continue;
    }
    auto stream = std::make_unique<Stream>(loop_, static_cast<int>(accepted.n));
    if (is_draining_ || !HasRoom()) continue;
    const IpAddress address = peer.address();
    const bool is_proxied =
        std::any_of(options_.trusted_proxies.begin(), options_.trusted_proxies.end(),
                    [&](const Network& network) { return network.Contains(address); });
    loop_.Spawn(Serve(std::move(stream), is_proxied ? std::nullopt : std::optional(address)));
  }
}

bool HttpListener::HasRoom() {
  if (connections_.size() < options_.max_connections) return true;
  const absl::Duration now = clock_.SinceBoot();
  if (now - full_told_at_ >= absl::Minutes(1)) {
    full_told_at_ = now;
    LogWarning("connections_full", {{"listen", address_}, {"connections", connections_.size()}});
  }
  return false;
}

Task<void> HttpListener::Serve(std::unique_ptr<Stream> stream, std::optional<IpAddress> address) {
  if (!address) {
    auto source = co_await ReadProxyHeader(*stream);
    if (!source.ok() || source->empty()) co_return;
    address = IpAddress::Parse(*source);
    if (!address) co_return;
  }
  ClientConnection connection(loop_, clock_, *service_, options_.limits, options_.phases,
                              std::move(stream), options_.tls, address->Printed());
  const auto place = connections_.insert(connections_.end(), &connection);
  if (is_draining_) connection.EndSoon();
  const Stranger stranger(strangers_, *address, connection, clock_.SinceBoot());
  co_await connection.Run();
  connections_.erase(place);
  if (connections_.empty()) emptied_.Set();
}

Task<void> HttpListener::Drain(absl::Duration grace) {
  is_draining_ = true;
  acceptor_->Close();
  for (ClientConnection* connection : connections_) connection->EndSoon();
  if (connections_.empty()) co_return;
  emptied_.Reset();
  if (co_await emptied_.Wait(grace)) co_return;
  for (ClientConnection* connection : connections_) connection->Close();
  emptied_.Reset();
  if (!connections_.empty()) co_await emptied_.Wait(absl::Seconds(5));
}

}  // namespace sallyport::agent
