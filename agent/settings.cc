#include "agent/settings.h"

#include <cstdint>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "agent/control/enrollment.h"
#include "agent/listen/http_listener.h"
#include "agent/loop/loop.h"
#include "agent/upstream/upstreams.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/status_macros.h"

namespace sallyport::agent {

using config::v1::AgentConfig;

namespace {

constexpr std::uint64_t kMaxMessageBytes = std::uint64_t{64} << 20;

absl::Status CheckPublicUrl(const std::string& url) {
  if (url.empty()) return absl::OkStatus();
  const bool has_scheme = url.starts_with("https://") || url.starts_with("http://");
  if (has_scheme && url.find_first_of("?# \"") == std::string::npos && !url.ends_with("/") &&
      url.find('/', url.find("://") + 3) == std::string::npos) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "public_url: \"", url,
      "\" must be a scheme and a host such as https://mcp.example.com, without a path"));
}

}  // namespace

void FillDefaults(AgentConfig& config) {
  if (config.data_dir().empty()) config.set_data_dir("/var/lib/sallyport-agent");
  if (config.listen().empty()) config.set_listen("127.0.0.1:8443");
  if (config.local_listen().empty()) config.set_local_listen("127.0.0.1:8480");
}

absl::StatusOr<Durability> ReadDurability(const AgentConfig& config) {
  const std::string& word = config.recording().durability();
  if (word.empty() || word == "power") return Durability::kPower;
  if (word == "process") return Durability::kProcess;
  return absl::InvalidArgumentError(
      absl::StrCat("recording.durability: \"", word, "\" is neither power nor process"));
}

absl::StatusOr<std::vector<Network>> ReadProxies(const AgentConfig& config) {
  std::vector<Network> networks;
  for (const std::string& text : config.trusted_proxies()) {
    auto network = Network::Parse(text);
    if (!network.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("trusted_proxies: ", network.status().message()));
    }
    networks.push_back(*network);
  }
  return networks;
}

std::string SessionSecretFile(const std::string& data_dir) {
  return absl::StrCat(data_dir, "/session.key");
}

absl::Status CheckConfig(const AgentConfig& given) {
  AgentConfig config = given;
  FillDefaults(config);
  RETURN_IF_ERROR(ReadDurability(config).status());
  RETURN_IF_ERROR(ReadProxies(config).status());
  RETURN_IF_ERROR(CheckPublicUrl(config.public_url()));
  if (config.has_tls() && (config.tls().cert_file().empty() || config.tls().key_file().empty())) {
    return absl::InvalidArgumentError("tls: cert_file and key_file are both required");
  }
  if (config.has_tls() && config.public_url().starts_with("http://")) {
    return absl::InvalidArgumentError(
        absl::StrCat("public_url: \"", config.public_url(),
                     "\" is not what clients can call: with tls the agent speaks https alone"));
  }
  if (config.has_tls()) {
    RETURN_IF_ERROR(ServerTls(config.tls().cert_file(), config.tls().key_file()).status());
  }
  RETURN_IF_ERROR(CheckListen(config.listen(), config.has_tls()));
  if (config.public_url().empty() && ListensEverywhere(config.listen())) {
    return absl::InvalidArgumentError(
        absl::StrCat("public_url: ", config.listen(),
                     " has no name of its own: say what clients call it, such as "
                     "https://mcp.example.com:8443"));
  }
  if (config.limits().message_bytes() > kMaxMessageBytes) {
    return absl::InvalidArgumentError("limits.message_bytes: at most 64MiB");
  }
  if (config.servers().empty())
    return absl::InvalidArgumentError("servers: at least one is required");
  return Upstreams::Check(config);
}

absl::StatusOr<std::vector<std::string>> CheckMachine(const AgentConfig& given) {
  AgentConfig config = given;
  FillDefaults(config);
  const SystemClock clock;
  ASSIGN_OR_RETURN(
      const std::optional<Enrollment> enrolled,
      CheckEnrollment(config.data_dir(), config.control_plane().join_token_file(), clock));
  const absl::Status secret = ReadSecretFile(SessionSecretFile(config.data_dir())).status();
  if (!secret.ok() && !absl::IsNotFound(secret)) return secret;
  Loop loop;
  ASSIGN_OR_RETURN(const auto upstreams, Upstreams::Create(loop, config));
  std::vector<std::string> warnings;
  std::set<std::string> names;
  for (const std::string& name : upstreams->names()) {
    names.insert(name);
    if (absl::Status read = upstreams->ReadCredentials(name).status(); !read.ok()) {
      return absl::Status(read.code(), absl::StrCat("servers: ", name, ": ", read.message()));
    }
  }
  if (!enrolled.has_value()) return warnings;
  const std::set<std::string> may(enrolled->servers.begin(), enrolled->servers.end());
  for (const std::string& name : names) {
    if (may.contains(name)) continue;
    warnings.push_back(absl::StrCat("servers: ", name, ": agent ", enrolled->name,
                                    " has not enrolled for it, so no session of it will open; "
                                    "to enroll again, put a join string that names all its servers "
                                    "into join_token_file, remove agent.pem from data_dir and "
                                    "restart"));
  }
  for (const std::string& name : may) {
    if (names.contains(name)) continue;
    warnings.push_back(absl::StrCat("servers: ", name, " is not there, and agent ", enrolled->name,
                                    " has enrolled for it"));
  }
  return warnings;
}

}  // namespace sallyport::agent
