#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "agent/mcp/json_scan.h"
#include "agent/upstream/answer_room.h"
#include "agent/upstream/http_connection.h"
#include "agent/upstream/server_url.h"

namespace sallyport::agent {

// What an upstream over HTTP is made of, whichever of MCP's transports it speaks.
struct HttpOptions {
  // For the log.
  std::string server;
  ServerUrl url;
  // Null for plain HTTP.
  TlsContext tls;
  // Configured, with the credentials in them. Wiped when the upstream goes.
  std::vector<std::pair<std::string, std::string>> headers;
  ScanLimits limits;
  AnswerShare answers = {};
  absl::Duration connect_timeout = absl::Seconds(5);
  // Until the head of an answer that takes no work, or the first event of a stream.
  absl::Duration reply_timeout = absl::Seconds(30);
  // From the request to the last byte of its answer. Long calls are the server's right.
  absl::Duration exchange_timeout = absl::Hours(1);
  HttpPatience patience;
  // For a server that does not say how long it keeps an idle connection. Many keep it for 5 s, and
  // a request that crosses its end is lost.
  absl::Duration idle_timeout = absl::Seconds(4);
  absl::Duration delete_timeout = absl::Seconds(2);
  absl::Duration listen_backoff = absl::Seconds(1);
  // Before a stream that broke off is taken up, where the server has not said when; and how often
  // in a row without success.
  absl::Duration resume_backoff = absl::Seconds(1);
  int resume_attempts = 5;
};

// A stream that a server keeps open for as long as the session lasts.
inline constexpr absl::Duration kStreamTimeout = absl::Hours(24 * 365);

}  // namespace sallyport::agent
