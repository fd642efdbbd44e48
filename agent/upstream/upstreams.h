#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/loop/loop.h"
#include "agent/loop/task.h"
#include "agent/upstream/credentials.h"
#include "agent/upstream/upstream.h"
#include "sallyport/config/v1/agent_config.pb.h"

namespace sallyport::agent {

// The servers of this agent, checked once at its start, and the way to each of them.
class Upstreams {
 public:
  // Checks every entry: one of stdio and http, a usable name and limits, credential files that
  // exist and that nobody else can read, a command that is in PATH, a run_as user that exists
  // (required where the agent is root), an URL of https or of a literal loopback address. With
  // `isolation: namespace` it also tries whether the namespaces can be had, and refuses with what
  // to do. The first fault is the error and names the server. `loop` outlives it; before Loop::Run.
  static absl::StatusOr<std::unique_ptr<Upstreams>> Create(Loop& loop,
                                                           const config::v1::AgentConfig& config);
  // The same checks, without the trial of the namespaces: `config check`.
  static absl::Status Check(const config::v1::AgentConfig& config);
  ~Upstreams();
  Upstreams(const Upstreams&) = delete;
  Upstreams& operator=(const Upstreams&) = delete;

  bool Has(std::string_view server) const;
  std::vector<std::string> names() const;
  // It is started here, as the child of a session.
  bool IsChild(std::string_view server) const;
  // The largest message of that server, either way.
  std::uint64_t message_bytes(std::string_view server) const;
  // The largest that may be sent to it.
  std::uint64_t request_bytes(std::string_view server) const;

  // Reads the server's credentials, when a session opens. They are wiped when the last holder lets
  // go: the session, its upstreams and its masker share them. kFailedPrecondition: a file is
  // missing, readable by others, or not one line.
  absl::StatusOr<std::shared_ptr<const Credentials>> ReadCredentials(std::string_view server) const;

  // An upstream for one legacy MCP session, or one that all modern calls of a session share: a
  // child is spawned here, an HTTP server is first contacted by the first request. What is long of
  // what it says takes the principal's share of the room for that. Its error is kUnavailable with
  // upstream_lost: no child could be started.
  Task<absl::StatusOr<std::unique_ptr<Upstream>>> Open(
      std::string_view server, std::string principal,
      std::shared_ptr<const Credentials> credentials, Era era);

  // The server was found to speak the legacy era alone. Asked again after a while: servers are
  // updated.
  void NoteLegacyOnly(std::string_view server);
  bool IsLegacyOnly(std::string_view server) const;

  // Lines of children that were no messages, and answers to no request: for metrics.
  std::uint64_t dropped_lines() const;

 private:
  class Impl;
  explicit Upstreams(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sallyport::agent
