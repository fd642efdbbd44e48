#include "agent/upstream/server_entry.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "absl/strings/str_cat.h"
#include "agent/http/head_writer.h"
#include "common/file.h"
#include "common/names.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

using config::v1::AgentConfig;
using config::v1::ServerEntry;
namespace fs = std::filesystem;

constexpr std::uint64_t kDefaultMessageBytes = std::uint64_t{16} << 20;
// What servers of the official SDK take in one line, less what they read at once: there the limit
// is on a line and the beginning of the next.
constexpr std::uint64_t kDefaultLineBytes = (std::uint64_t{10} << 20) - (std::uint64_t{64} << 10);
constexpr std::uint64_t kMaxMessageBytes = std::uint64_t{64} << 20;

bool IsVariableName(std::string_view name) {
  return !name.empty() && (name.front() < '0' || name.front() > '9') &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_';
         });
}

// Those that turn a child's program into another one.
bool IsLoaderVariable(std::string_view name) {
  return name.starts_with("LD_") || name == "GCONV_PATH";
}

// Those that say where a request goes, how it is framed, or what we say ourselves.
bool IsOwnHeader(std::string_view name) {
  static constexpr std::string_view kOwn[] = {"host",
                                              "content-length",
                                              "content-type",
                                              "content-encoding",
                                              "transfer-encoding",
                                              "connection",
                                              "keep-alive",
                                              "upgrade",
                                              "te",
                                              "trailer",
                                              "expect",
                                              "accept",
                                              "accept-encoding",
                                              "mcp-session-id",
                                              "mcp-protocol-version",
                                              "mcp-method",
                                              "mcp-name",
                                              "user-agent",
                                              "proxy-connection",
                                              "last-event-id"};
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  return std::find(std::begin(kOwn), std::end(kOwn), lower) != std::end(kOwn);
}

absl::Status Fault(std::string_view server, std::string_view what) {
  return absl::FailedPreconditionError(
      absl::StrCat("servers: ", absl::string_view(server.data(), server.size()), ": ",
                   absl::string_view(what.data(), what.size())));
}

absl::Status CheckLimits(const AgentConfig& config, const ServerEntry& entry, CheckedServer& out) {
  out.message_bytes = entry.limits().message_bytes() != 0    ? entry.limits().message_bytes()
                      : config.limits().message_bytes() != 0 ? config.limits().message_bytes()
                                                             : kDefaultMessageBytes;
  if (out.message_bytes > kMaxMessageBytes)
    return Fault(entry.name(), "`message_bytes` is at most 64MiB");
  const bool is_said = entry.limits().message_bytes() != 0 || config.limits().message_bytes() != 0;
  out.request_bytes = entry.has_stdio() && !is_said ? kDefaultLineBytes : out.message_bytes;
  return absl::OkStatus();
}

absl::Status CheckCredentials(const ServerEntry& entry, CheckedServer& out) {
  for (const auto& [name, source] : entry.credentials()) {
    if (source.file().empty())
      return Fault(entry.name(), absl::StrCat("credential ", name, " has no `file`"));
    out.credentials.emplace_back(name, source.file());
  }
  std::sort(out.credentials.begin(), out.credentials.end());
  auto read = ReadCredentialFiles(out);
  if (!read.ok()) return Fault(entry.name(), std::string(read.status().message()));
  return absl::OkStatus();
}

template <class Map>
absl::Status CheckValues(const ServerEntry& entry, const Map& values, CheckedServer& out) {
  for (const auto& [name, value] : values) {
    // An empty value is a value; then neither is set.
    if (!value.value().empty() && !value.credential().empty()) {
      return Fault(entry.name(), absl::StrCat(name, " has both `value` and `credential`"));
    }
    if (value.credential().empty() && !value.prefix().empty()) {
      return Fault(entry.name(), absl::StrCat(name, ": `prefix` stands only beside `credential`"));
    }
    bool known = value.credential().empty() || entry.credentials().contains(value.credential());
    if (!known)
      return Fault(entry.name(), absl::StrCat(name, " names the credential ", value.credential(),
                                              ", which the entry does not have"));
    out.values.push_back({name, value.prefix(), value.credential(), value.value()});
  }
  std::sort(out.values.begin(), out.values.end(),
            [](const Template& a, const Template& b) { return a.name < b.name; });
  return absl::OkStatus();
}

absl::StatusOr<std::string> FindProgram(const std::string& word) {
  auto runs = [](const std::string& path) {
    struct stat st {};
    return stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode) && access(path.c_str(), X_OK) == 0;
  };
  if (word.find('/') != std::string::npos) {
    if (word.front() != '/')
      return absl::NotFoundError(
          absl::StrCat("the program ", word, " must be an absolute path or a name in PATH"));
    if (!runs(word))
      return absl::NotFoundError(absl::StrCat("the program ", word, " cannot be run"));
    return word;
  }
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    std::size_t end = std::min(rest.find(':'), rest.size());
    std::string candidate = std::string(rest.substr(0, end)) + "/" + word;
    if (candidate.front() == '/' && runs(candidate)) return candidate;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return absl::NotFoundError(absl::StrCat("the program ", word, " is not in PATH"));
}

struct User {
  RunAs ids;
  std::string home;
};
absl::StatusOr<User> FindUser(const std::string& name) {
  std::string buffer(16384, '\0');
  passwd entry{};
  passwd* found = nullptr;
  if (getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return absl::NotFoundError(absl::StrCat("`run_as`: there is no user ", name));
  }
  if (found->pw_uid == 0) return absl::InvalidArgumentError("`run_as` cannot be root");
  return User{{found->pw_uid, found->pw_gid}, found->pw_dir};
}

std::string EnvironmentOr(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

absl::Status CheckStdio(const ServerEntry& entry, CheckedServer& out) {
  const config::v1::StdioServer& stdio = entry.stdio();
  SpawnPlan& plan = out.plan;
  out.is_stdio = true;
  if (stdio.command().empty() || stdio.command(0).empty())
    return Fault(entry.name(), "`command` is missing");
  plan.argv.assign(stdio.command().begin(), stdio.command().end());
  auto program = FindProgram(plan.argv[0]);
  if (!program.ok()) return Fault(entry.name(), std::string(program.status().message()));
  plan.argv[0] = *program;

  if (stdio.isolation() != "" && stdio.isolation() != "namespace" && stdio.isolation() != "none") {
    return Fault(entry.name(), "`isolation` is namespace or none");
  }
  plan.isolate = stdio.isolation() != "none";
  std::string home = EnvironmentOr("HOME", "/");
  if (!stdio.run_as().empty()) {
    auto user = FindUser(stdio.run_as());
    if (!user.ok()) return Fault(entry.name(), std::string(user.status().message()));
    if (geteuid() != 0 && user->ids.uid != geteuid())
      return Fault(entry.name(), "`run_as` another user needs an agent that is root");
    if (geteuid() == 0) plan.run_as = user->ids;
    home = user->home;
  } else if (geteuid() == 0) {
    return Fault(entry.name(), "the agent is root, so the entry needs `run_as: USER`");
  }
  if (!stdio.working_dir().empty()) {
    if (stdio.working_dir().front() != '/')
      return Fault(entry.name(), "`working_dir` must be an absolute path");
    plan.working_dir = stdio.working_dir();
  }
  plan.env = {"PATH=" + EnvironmentOr("PATH", "/usr/local/bin:/usr/bin:/bin"), "HOME=" + home,
              "LANG=" + EnvironmentOr("LANG", "C.UTF-8"),
              "TMPDIR=" + EnvironmentOr("TMPDIR", "/tmp")};
  RETURN_IF_ERROR(CheckValues(entry, stdio.env(), out));
  for (const Template& value : out.values) {
    if (!IsVariableName(value.name))
      return Fault(entry.name(), absl::StrCat("`env`: ", value.name, " is no variable's name"));
    if (IsLoaderVariable(value.name))
      return Fault(entry.name(), absl::StrCat("`env`: ", value.name, " is not given to a child"));
    // A configured variable replaces one of the four.
    std::erase_if(plan.env,
                  [&](const std::string& have) { return have.starts_with(value.name + "="); });
  }
  return absl::OkStatus();
}

absl::StatusOr<HttpTransport> ParseTransport(std::string_view word) {
  if (word.empty()) return HttpTransport::kFound;
  if (word == "streamable-http") return HttpTransport::kStreamable;
  if (word == "sse") return HttpTransport::kSse;
  return absl::InvalidArgumentError("`transport` is streamable-http or sse");
}

absl::Status CheckHttp(const ServerEntry& entry, const Credentials& credentials,
                       CheckedServer& out) {
  auto url = ParseServerUrl(entry.http().url());
  if (!url.ok()) return Fault(entry.name(), std::string(url.status().message()));
  out.url = *std::move(url);
  auto transport = ParseTransport(entry.http().transport());
  if (!transport.ok()) return Fault(entry.name(), std::string(transport.status().message()));
  out.transport = *transport;
  out.ca_file = entry.http().ca_file();
  RETURN_IF_ERROR(CheckValues(entry, entry.http().headers(), out));
  for (const Template& value : out.values) {
    if (!IsFieldName(value.name))
      return Fault(entry.name(), absl::StrCat("`headers`: ", value.name, " is no header's name"));
    if (IsOwnHeader(value.name))
      return Fault(entry.name(), absl::StrCat("`headers`: ", value.name, " is the agent's own"));
  }
  for (auto& [name, value] : FillIn(out, credentials)) {
    if (!IsFieldValue(value))
      return Fault(entry.name(),
                   absl::StrCat("`headers`: the value of ", name, " cannot stand in a header"));
  }
  return absl::OkStatus();
}

// --- what children must not see

bool IsWithin(const fs::path& path, const fs::path& dir) {
  auto [at, end] = std::mismatch(dir.begin(), dir.end(), path.begin(), path.end());
  return at == dir.end();
}

std::string Real(const std::string& path) {
  std::error_code error;
  fs::path real = fs::weakly_canonical(path, error);
  return error ? path : real.string();
}

// What the child itself needs: its program, its directory, and whatever its command names by an
// absolute path.
std::vector<fs::path> Needed(const SpawnPlan& plan) {
  std::vector<fs::path> needed;
  for (const std::string& word : plan.argv) {
    if (word.starts_with("/")) needed.emplace_back(Real(word));
  }
  if (plan.working_dir != "/") needed.emplace_back(Real(plan.working_dir));
  for (const std::string& variable : plan.env) {
    std::string_view text = variable;
    if (text.starts_with("HOME=") || text.starts_with("TMPDIR="))
      needed.emplace_back(Real(variable.substr(variable.find('=') + 1)));
  }
  return needed;
}

// A secret's directory is covered rather than the file: a file that is replaced comes out from
// under its cover. But not a directory that the child needs, nor one of the system's.
HiddenPath CoverOf(const std::string& file, const std::vector<fs::path>& needed) {
  fs::path real = Real(file);
  fs::path dir = real.parent_path();
  bool is_own = std::distance(dir.begin(), dir.end()) > 2;
  bool is_needed = std::any_of(needed.begin(), needed.end(),
                               [&](const fs::path& path) { return IsWithin(path, dir); });
  if (is_own && !is_needed && !IsWithin(dir, "/usr") && !IsWithin(dir, "/dev") &&
      !IsWithin(dir, "/proc"))
    return {dir.string()};
  return {.path = real.string(), .is_dir = false};
}

absl::Status AddHidden(const AgentConfig& config, const std::vector<CheckedServer>& servers,
                       const ServerEntry& entry, CheckedServer& out) {
  std::vector<fs::path> needed = Needed(out.plan);
  std::vector<HiddenPath>& hide = out.plan.hide;
  std::string data_dir = config.data_dir().empty() ? "/var/lib/sallyport-agent" : config.data_dir();
  hide.push_back({Real(data_dir)});
  for (const std::string& dir : entry.stdio().hide()) {
    if (dir.empty() || dir.front() != '/')
      return Fault(entry.name(), "`hide` takes absolute paths");
    std::error_code error;
    if (!fs::exists(dir, error))
      return Fault(entry.name(), absl::StrCat("`hide`: there is no ", dir));
    hide.push_back(
        {.path = Real(dir), .is_dir = fs::is_directory(dir, error), .is_required = true});
  }
  for (const std::string& file :
       {config.tls().key_file(), config.control_plane().join_token_file()}) {
    if (!file.empty()) hide.push_back(CoverOf(file, needed));
  }
  for (const CheckedServer& server : servers) {
    for (const auto& [name, file] : server.credentials) hide.push_back(CoverOf(file, needed));
  }
  for (const HiddenPath& hidden : hide) {
    if (hidden.is_dir && IsWithin(Real(out.plan.argv[0]), hidden.path)) {
      return Fault(entry.name(), absl::StrCat("its program ", out.plan.argv[0], " lies in ",
                                              hidden.path, ", which its child must not see"));
    }
  }
  // What lies within a covered directory is covered.
  std::sort(hide.begin(), hide.end(),
            [](const HiddenPath& a, const HiddenPath& b) { return a.path < b.path; });
  std::vector<HiddenPath> least;
  for (HiddenPath& hidden : hide) {
    bool covered = std::any_of(least.begin(), least.end(), [&](const HiddenPath& outer) {
      return outer.path == hidden.path || (outer.is_dir && IsWithin(hidden.path, outer.path));
    });
    if (!covered) least.push_back(std::move(hidden));
  }
  hide = std::move(least);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Credentials>> ReadCredentialFiles(
    const CheckedServer& server) {
  std::vector<Credentials::Value> values;
  for (const auto& [name, file] : server.credentials) {
    ASSIGN_OR_RETURN(std::string secret, ReadSecretLine(file));
    if (secret.empty())
      return absl::FailedPreconditionError(absl::StrCat("the credential file ", file, " is empty"));
    if (secret.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      return absl::FailedPreconditionError(
          absl::StrCat("the credential file ", file, " has more than one line"));
    }
    values.push_back({name, std::move(secret)});
  }
  return std::make_shared<const Credentials>(std::move(values));
}

std::vector<std::pair<std::string, std::string>> FillIn(const CheckedServer& server,
                                                        const Credentials& credentials) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const Template& value : server.values) {
    std::string text = value.credential.empty()
                           ? value.value
                           : value.prefix + std::string(credentials.Find(value.credential));
    out.emplace_back(value.name, std::move(text));
  }
  return out;
}

absl::StatusOr<std::vector<CheckedServer>> CheckServers(const AgentConfig& config) {
  if (config.servers().empty())
    return absl::FailedPreconditionError("servers: at least one is required");
  std::vector<CheckedServer> out;
  std::set<std::string> names;
  for (const ServerEntry& entry : config.servers()) {
    CheckedServer server{.name = entry.name()};
    if (!IsServerName(entry.name()))
      return Fault(entry.name(), "`name` must match [a-z0-9][a-z0-9._-]{0,62}");
    if (!names.insert(entry.name()).second) return Fault(entry.name(), "the name stands twice");
    if (entry.has_stdio() == entry.has_http())
      return Fault(entry.name(), "exactly one of `stdio` and `http` is required");
    RETURN_IF_ERROR(CheckLimits(config, entry, server));
    RETURN_IF_ERROR(CheckCredentials(entry, server));
    if (entry.has_stdio()) {
      RETURN_IF_ERROR(CheckStdio(entry, server));
    } else {
      ASSIGN_OR_RETURN(auto credentials, ReadCredentialFiles(server));
      RETURN_IF_ERROR(CheckHttp(entry, *credentials, server));
    }
    out.push_back(std::move(server));
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i].is_stdio && out[i].plan.isolate)
      RETURN_IF_ERROR(AddHidden(config, out, config.servers(static_cast<int>(i)), out[i]));
  }
  return out;
}

}  // namespace sallyport::agent
