#include "agent/upstream/upstreams.h"

#include <openssl/crypto.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/http/head_writer.h"
#include "agent/upstream/first_contact.h"
#include "agent/upstream/http_upstream.h"
#include "agent/upstream/server_entry.h"
#include "agent/upstream/spawner.h"
#include "agent/upstream/sse_upstream.h"
#include "agent/upstream/stdio_upstream.h"
#include "agent/upstream/tls_client.h"
#include "common/denial.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr auto kLegacyOnlyKept = std::chrono::minutes(10);

absl::Status Lost(std::string_view why) {
  return Denied(types::v1::DENIAL_REASON_UPSTREAM_LOST, why);
}

// Whether the server's child could be started as its entry says: its namespaces, what it must not
// see, its user.
absl::Status TryIsolation(const CheckedServer& server) {
  SpawnPlan plan = server.plan;
  plan.argv = {"/bin/true"};
  plan.working_dir = "/";
  auto child = SpawnChild(plan);
  if (child.ok()) {
    child->in.Reset();
    ReapChild(*child);
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("servers: ", server.name, ": ", child.status().message()));
}

}  // namespace

class Upstreams::Impl {
 public:
  explicit Impl(Loop& to) : loop(to), sweep(to) {}

  struct Entry {
    CheckedServer server;
    TlsContext tls;
    using Time = std::chrono::steady_clock::time_point;
    std::shared_ptr<Time> legacy_only_until = std::make_shared<Time>();
    std::shared_ptr<ServerProtocol> protocol = std::make_shared<ServerProtocol>();
  };

  const Entry* Find(std::string_view name) const {
    auto at = entries.find(ToAbsl(name));
    return at == entries.end() ? nullptr : &at->second;
  }

  // That it speaks the legacy era alone.
  static std::function<void()> Forgets(const Entry& entry) {
    return [until = entry.legacy_only_until] { *until = {}; };
  }

  Task<absl::StatusOr<std::unique_ptr<Upstream>>> OpenStdio(
      const Entry& entry, std::string principal, std::shared_ptr<const Credentials> credentials,
      Era era) {
    const CheckedServer& server = entry.server;
    SpawnPlan plan = server.plan;
    for (auto& [name, value] : FillIn(server, *credentials)) {
      plan.env.push_back(absl::StrCat(name, "=", value));
      OPENSSL_cleanse(value.data(), value.size());
    }
    auto child = co_await spawner.Spawn(std::move(plan));
    if (!child.ok()) {
      LogError("server_not_started", {{"server", server.name}, {"status", child.status()}});
      // What could not be done, with which file, is for the log.
      co_return Lost("the server could not be started");
    }
    auto pipe = std::make_unique<StdioUpstream>(
        loop, *std::move(child),
        StdioOptions{.server = entry.server.name,
                     .limits = {.max_bytes = entry.server.message_bytes},
                     .answers = {.room = answers,
                                 .principal = std::move(principal),
                                 .server = entry.server.name},
                     .dropped_lines = &dropped_lines});
    if (era == Era::kModern) co_return pipe;
    co_return std::make_unique<FirstContact>(loop,
                                             FirstContactOptions{.server = entry.server.name,
                                                                 .transport = std::move(pipe),
                                                                 .found = entry.protocol,
                                                                 .on_modern = Forgets(entry)});
  }

  HttpOptions MakeHttpOptions(const Entry& entry, const std::string& principal,
                              const Credentials& credentials) {
    return {.server = entry.server.name,
            .url = entry.server.url,
            .tls = entry.tls,
            .headers = FillIn(entry.server, credentials),
            .limits = {.max_bytes = entry.server.message_bytes},
            .answers = {.room = answers, .principal = principal, .server = entry.server.name}};
  }

  absl::StatusOr<std::unique_ptr<Upstream>> OpenHttp(const Entry& entry, std::string principal,
                                                     std::shared_ptr<const Credentials> credentials,
                                                     Era era) {
    // Checked at the start; the files may have changed since.
    for (auto& [name, value] : FillIn(entry.server, *credentials)) {
      const bool is_usable = IsFieldValue(value);
      OPENSSL_cleanse(value.data(), value.size());
      if (!is_usable) return Lost("a credential cannot stand in a header");
    }
    const auto open_streamable = [this, &entry, principal, credentials] {
      return std::make_unique<HttpUpstream>(loop, sweep,
                                            MakeHttpOptions(entry, principal, *credentials));
    };
    const auto open_sse = [this, &entry, principal, credentials] {
      return std::make_unique<SseUpstream>(loop, sweep,
                                           MakeHttpOptions(entry, principal, *credentials));
    };
    const HttpTransport transport = entry.server.transport;
    if (transport == HttpTransport::kSse) return open_sse();
    if (era == Era::kModern) return open_streamable();
    const bool may_be_sse = transport == HttpTransport::kFound;
    FirstContactOptions options{.server = entry.server.name,
                                .is_http = true,
                                .found = entry.protocol,
                                .on_modern = Forgets(entry)};
    if (may_be_sse) options.open_sse = open_sse;
    if (may_be_sse && *entry.protocol == ServerProtocol::kSse) {
      options.transport = open_sse();
    } else {
      options.transport = open_streamable();
    }
    return std::make_unique<FirstContact>(loop, std::move(options));
  }

  Loop& loop;
  const std::shared_ptr<AnswerRoom> answers = std::make_shared<AnswerRoom>(loop);
  DeadlineSweep sweep;
  Spawner spawner{loop};
  absl::flat_hash_map<std::string, Entry> entries;
  std::uint64_t dropped_lines = 0;
};

Upstreams::Upstreams(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Upstreams::~Upstreams() = default;

absl::Status Upstreams::Check(const config::v1::AgentConfig& config) {
  return CheckServers(config).status();
}

absl::StatusOr<std::unique_ptr<Upstreams>> Upstreams::Create(
    Loop& loop, const config::v1::AgentConfig& config) {
  ASSIGN_OR_RETURN(std::vector<CheckedServer> servers, CheckServers(config));
  auto impl = std::make_unique<Impl>(loop);
  for (CheckedServer& server : servers) {
    Impl::Entry entry;
    if (server.is_stdio) {
      RETURN_IF_ERROR(TryIsolation(server));
    } else if (server.url.is_tls) {
      ASSIGN_OR_RETURN(entry.tls, MakeTlsClient(server.ca_file));
    }
    std::string name = server.name;
    entry.server = std::move(server);
    impl->entries.emplace(std::move(name), std::move(entry));
  }
  return std::unique_ptr<Upstreams>(new Upstreams(std::move(impl)));
}

bool Upstreams::Has(std::string_view server) const { return impl_->Find(server) != nullptr; }

bool Upstreams::IsChild(std::string_view server) const {
  const auto* entry = impl_->Find(server);
  return entry != nullptr && entry->server.is_stdio;
}

std::vector<std::string> Upstreams::names() const {
  std::vector<std::string> out;
  for (const auto& [name, entry] : impl_->entries) out.push_back(name);
  return out;
}

std::uint64_t Upstreams::message_bytes(std::string_view server) const {
  const auto* entry = impl_->Find(server);
  return entry != nullptr ? entry->server.message_bytes : 0;
}

std::uint64_t Upstreams::request_bytes(std::string_view server) const {
  const auto* entry = impl_->Find(server);
  return entry != nullptr ? entry->server.request_bytes : 0;
}

absl::StatusOr<std::shared_ptr<const Credentials>> Upstreams::ReadCredentials(
    std::string_view server) const {
  const auto* entry = impl_->Find(server);
  if (entry == nullptr) return Denied(types::v1::DENIAL_REASON_SERVER_UNKNOWN, "no such server");
  return ReadCredentialFiles(entry->server);
}

Task<absl::StatusOr<std::unique_ptr<Upstream>>> Upstreams::Open(
    std::string_view server, std::string principal, std::shared_ptr<const Credentials> credentials,
    Era era) {
  const auto* entry = impl_->Find(server);
  if (entry == nullptr) co_return Denied(types::v1::DENIAL_REASON_SERVER_UNKNOWN, "no such server");
  if (!entry->server.is_stdio)
    co_return impl_->OpenHttp(*entry, std::move(principal), std::move(credentials), era);
  co_return co_await impl_->OpenStdio(*entry, std::move(principal), std::move(credentials), era);
}

void Upstreams::NoteLegacyOnly(std::string_view server) {
  const auto at = impl_->entries.find(ToAbsl(server));
  if (at == impl_->entries.end()) return;
  *at->second.legacy_only_until = std::chrono::steady_clock::now() + kLegacyOnlyKept;
}

bool Upstreams::IsLegacyOnly(std::string_view server) const {
  const auto* entry = impl_->Find(server);
  return entry != nullptr && std::chrono::steady_clock::now() < *entry->legacy_only_until;
}

std::uint64_t Upstreams::dropped_lines() const { return impl_->dropped_lines; }

}  // namespace sallyport::agent
