#include "agent/listen/http_listener.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/ssl/stream.hpp>
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

std::string Printed(const net::ip::tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return endpoint.address().is_v6() ? absl::StrCat("[", address, "]:", endpoint.port())
                                    : absl::StrCat(address, ":", endpoint.port());
}

std::string PrintedAddress(const net::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return net::ip::make_address_v4(net::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

absl::StatusOr<net::ip::tcp::endpoint> ParseEndpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  std::string_view host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  const auto address = net::ip::make_address(std::string(host), error);
  unsigned port = 0;
  if (colon == std::string_view::npos || error ||
      !absl::SimpleAtoi(ToAbsl(text.substr(colon + 1)), &port) || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("listen: \"", ToAbsl(text), "\" is no address such as 127.0.0.1:8443"));
  }
  return net::ip::tcp::endpoint(address, static_cast<unsigned short>(port));
}

}  // namespace

absl::StatusOr<net::ssl::context> ServerTls(const std::string& cert_file,
                                            const std::string& key_file) {
  ASSIGN_OR_RETURN(const std::string chain, ReadFile(cert_file));
  ASSIGN_OR_RETURN(const std::string key, ReadSecretFile(key_file));
  net::ssl::context context(net::ssl::context::tls_server);
  SSL_CTX* raw = context.native_handle();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(
      raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_alpn_select_cb(raw, SelectProtocol, nullptr);
  boost::system::error_code error;
  context.use_certificate_chain(net::buffer(chain), error);
  if (error) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tls.cert_file: ", cert_file, " holds no certificate chain: ", error.message()));
  }
  context.use_private_key(net::buffer(key), net::ssl::context::pem, error);
  if (error || SSL_CTX_check_private_key(raw) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("tls.key_file: ", key_file, " is not the key of ", cert_file));
  }
  return context;
}

absl::Status CheckListen(std::string_view address, bool has_tls) {
  ASSIGN_OR_RETURN(const net::ip::tcp::endpoint endpoint, ParseEndpoint(address));
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
  RETURN_IF_ERROR(CheckListen(options_.address, options_.tls.has_value()));
  ASSIGN_OR_RETURN(const net::ip::tcp::endpoint endpoint, ParseEndpoint(options_.address));
  boost::system::error_code error;
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(Acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(net::socket_base::max_listen_connections, error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat("listen: ", options_.address, ": ", error.message()));
  }
  address_ = Printed(acceptor_.local_endpoint(error));
  return absl::OkStatus();
}

void HttpListener::Start(HttpService& service) {
  service_ = &service;
  loop_.Spawn(Accept());
  loop_.Every(absl::Seconds(1), [this] {
    for (ClientConnection* connection : connections_) connection->Sweep();
  });
}

Task<void> HttpListener::Accept() {
  for (;;) {
    ClientSocket::Socket socket(loop_.executor());
    net::ip::tcp::endpoint peer;
    auto [error] = co_await acceptor_.async_accept(socket, peer, kAsTuple);
    if (is_draining_) co_return;
    if (error) {
      // Out of descriptors, most likely: accepting again at once would only burn the processor.
      LogWarning("accept_failed", {{"listen", address_}, {"message", error.message()}});
      co_await Sleep(loop_, absl::Milliseconds(100));
      continue;
    }
    if (connections_.size() >= options_.max_connections) continue;
    const bool is_proxied =
        std::any_of(options_.trusted_proxies.begin(), options_.trusted_proxies.end(),
                    [&](const Network& network) { return network.Contains(peer.address()); });
    loop_.Spawn(
        Serve(std::move(socket), is_proxied ? std::string() : PrintedAddress(peer.address())));
  }
}

Task<void> HttpListener::Serve(ClientSocket::Socket socket, std::string client_address) {
  if (client_address.empty()) {
    auto source = co_await ReadProxyHeader(socket);
    if (!source.ok() || source->empty()) co_return;
    client_address = *std::move(source);
  }
  ClientConnection connection(loop_, clock_, *service_, options_.limits, options_.phases,
                              std::move(socket), options_.tls ? &*options_.tls : nullptr,
                              std::move(client_address));
  const auto place = connections_.insert(connections_.end(), &connection);
  if (is_draining_) connection.EndSoon();
  co_await connection.Run();
  connections_.erase(place);
  if (connections_.empty()) emptied_.Set();
}

Task<void> HttpListener::Drain(absl::Duration grace) {
  is_draining_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  for (ClientConnection* connection : connections_) connection->EndSoon();
  if (connections_.empty()) co_return;
  emptied_.Reset();
  if (co_await emptied_.Wait(grace)) co_return;
  for (ClientConnection* connection : connections_) connection->Close();
  emptied_.Reset();
  if (!connections_.empty()) co_await emptied_.Wait(absl::Seconds(5));
}

}  // namespace sallyport::agent
