#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "agent/loop/loop.h"
#include "agent/mcp/json_scan.h"
#include "agent/upstream/http_connection.h"
#include "agent/upstream/server_url.h"
#include "agent/upstream/upstream.h"

namespace sallyport::agent {

struct HttpUpstreamOptions {
  // For the log.
  std::string server;
  ServerUrl url;
  // Null for plain HTTP.
  std::shared_ptr<net::ssl::context> tls;
  // Configured, with the credentials in them. Wiped when the upstream goes.
  std::vector<std::pair<std::string, std::string>> headers;
  ScanLimits limits;
  absl::Duration connect_timeout = absl::Seconds(5);
  // From the request to the last byte of its answer. Long calls are the server's right.
  absl::Duration exchange_timeout = absl::Hours(1);
  absl::Duration idle_timeout = absl::Seconds(20);
  absl::Duration delete_timeout = absl::Seconds(2);
  absl::Duration listen_backoff = absl::Seconds(1);
  // Before a stream that broke off is taken up, where the server has not said when; and how often
  // in a row without success.
  absl::Duration resume_backoff = absl::Seconds(1);
  int resume_attempts = 5;
};

// A streamable HTTP server as one MCP session's upstream, with connections of its own. Every
// request is built from nothing: no field of the client's goes through, and the server's session id
// stays in here. A request goes out once: only a connection that turns out to be dead before its
// first byte is replaced. A stream that ends or breaks before its answer is taken up by a GET with
// Last-Event-ID, where the server has given an id. Redirects are not followed, encoded bodies are
// refused, and what a server says with a status that is no success is not shown to anyone.
class HttpUpstream final : public Upstream {
 public:
  // `loop` and `sweep` outlive it.
  HttpUpstream(Loop& loop, DeadlineSweep& sweep, HttpUpstreamOptions options);
  ~HttpUpstream() override;

  Task<absl::StatusOr<std::unique_ptr<Exchange>>> Forward(const OutboundMessage& request) override;
  Task<absl::Status> Send(const OutboundMessage& message) override;
  Task<absl::StatusOr<UpstreamMessage>> NextUnrelated() override;
  Task<void> Close() override;

 private:
  class Core;
  class Answer;
  std::shared_ptr<Core> core_;
};

// A context that verifies servers with TLS 1.2 or newer, against `ca_file`, or the system's
// certificates when it is empty.
absl::StatusOr<std::shared_ptr<net::ssl::context>> MakeTlsClient(const std::string& ca_file);

}  // namespace sallyport::agent
