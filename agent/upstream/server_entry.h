#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/upstream/child_supervisor.h"
#include "agent/upstream/credentials.h"
#include "agent/upstream/server_url.h"
#include "sallyport/config/v1/agent_config.pb.h"

namespace sallyport::agent {

// A value of the configuration with its credential, if it names one, still to be put in.
struct Template {
  std::string name;
  std::string prefix;
  std::string credential;
  std::string value;
};

// As `transport` says; unset is kFound.
enum class HttpTransport : std::uint8_t { kFound, kStreamable, kSse };

// One server of the configuration, checked. Exactly one of `is_stdio` and HTTP.
struct CheckedServer {
  std::string name;
  std::uint64_t message_bytes = 0;
  // The same for messages to the server.
  std::uint64_t request_bytes = 0;
  // Name and file.
  std::vector<std::pair<std::string, std::string>> credentials;
  // Of the child's environment, or of the requests' headers.
  std::vector<Template> values;

  bool is_stdio = false;
  // Without what `values` give.
  SpawnPlan plan;
  ServerUrl url;
  HttpTransport transport = HttpTransport::kFound;
  std::string ca_file;
};

// As Upstreams::Create says. Also what a child of any of the servers must not see.
absl::StatusOr<std::vector<CheckedServer>> CheckServers(const config::v1::AgentConfig& config);

// Reads what the server's entry names.
absl::StatusOr<std::shared_ptr<const Credentials>> ReadCredentialFiles(const CheckedServer& server);

// `values` with the credentials in them, as NAME and value.
std::vector<std::pair<std::string, std::string>> FillIn(const CheckedServer& server,
                                                        const Credentials& credentials);

}  // namespace sallyport::agent
