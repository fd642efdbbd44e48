#pragma once

#include <algorithm>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/http/message.h"
#include "agent/listen/client_connection.h"
#include "agent/listen/http_service.h"
#include "agent/listen/proxy_header.h"
#include "agent/listen/strangers.h"
#include "agent/loop/acceptor.h"
#include "agent/loop/loop.h"
#include "agent/loop/stream.h"
#include "common/clock.h"

namespace sallyport::agent {

// TLS 1.2 or newer with the certificate chain and key of two PEM files, HTTP/1.1 by ALPN. The key
// file must be a secret file (common/file.h).
absl::StatusOr<TlsContext> ServerTls(const std::string& cert_file, const std::string& key_file);

struct ListenerOptions {
  // "127.0.0.1:8443", "[::1]:0"; port 0 is any free one.
  std::string address;
  // Null: plain connections, which are only taken on a loopback address.
  TlsContext tls;
  HttpLimits limits;
  PhaseLimits phases;
  std::size_t max_connections = 4096;
  // Whose connections begin with a PROXY protocol v2 header.
  std::vector<Network> trusted_proxies;
};

// What Create says of the address without binding it.
absl::Status CheckListen(std::string_view address, bool has_tls);
// 0.0.0.0 or [::]: an address that no client can call. False for one that is none.
bool ListensEverywhere(std::string_view address);

// Accepts connections and owns them. Survives running out of descriptors. On the loop's thread.
class HttpListener {
 public:
  // Binds. kInvalidArgument for an address that is none, kFailedPrecondition for a plain listener
  // that others could reach, kUnavailable when the address cannot be bound. References outlive the
  // listener; the service is named in Start, since it may need to know where this listens.
  static absl::StatusOr<std::unique_ptr<HttpListener>> Create(Loop& loop, const Clock& clock,
                                                              ListenerOptions options);
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;

  // As bound: "127.0.0.1:8443".
  const std::string& address() const { return address_; }
  bool is_tls() const { return options_.tls != nullptr; }

  // Before Loop::Run.
  void Start(HttpService& service);

  std::size_t connections() const { return connections_.size(); }

  // Accepts no more, lets each connection finish the request it is at, and cuts what is still there
  // after `grace`.
  Task<void> Drain(absl::Duration grace);

 private:
  HttpListener(Loop& loop, const Clock& clock, ListenerOptions options)
      : loop_(loop),
        clock_(clock),
        options_(std::move(options)),
        strangers_(std::max(Strangers::kKept, options_.max_connections / 4)),
        emptied_(loop) {}
  absl::Status Bind();
  Task<void> Accept();
  // False: there are too many connections, and the log says so once a minute.
  bool HasRoom();
  // Without an address it is in the PROXY header that comes first.
  Task<void> Serve(std::unique_ptr<Stream> stream, std::optional<IpAddress> address);

  Loop& loop_;
  const Clock& clock_;
  ListenerOptions options_;
  std::unique_ptr<Acceptor> acceptor_;
  std::string address_;
  HttpService* service_ = nullptr;
  std::list<ClientConnection*> connections_;
  Strangers strangers_;
  absl::Duration full_told_at_ = -absl::InfiniteDuration();
  bool is_draining_ = false;
  Signal emptied_;
};

}  // namespace sallyport::agent
