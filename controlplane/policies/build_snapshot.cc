#include "controlplane/policies/build_snapshot.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/policy/pattern.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/keys/effect_keys.h"
#include "controlplane/keys/snapshot_signer.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/agents.h"
#include "controlplane/store/documents.h"
#include "controlplane/store/meta.h"
#include "controlplane/store/tools.h"

namespace sallyport::controlplane {
namespace {

bool CoversOne(const types::v1::PolicySpec& policy, const std::vector<std::string>& servers) {
  return std::any_of(policy.servers().begin(), policy.servers().end(), [&](const auto& pattern) {
    const Glob glob(pattern);
    return std::any_of(servers.begin(), servers.end(),
                       [&](const std::string& server) { return glob.Matches(server); });
  });
}

bool CanShut(const types::v1::LockSpec& lock, const Agent& agent) {
  return (lock.server().empty() || agent.Fronts(lock.server())) &&
         (lock.agent().empty() || lock.agent() == agent.name);
}

// Decisions need neither the YAML nor who wrote it.
types::v1::Document Bare(types::v1::Document document) {
  document.clear_source();
  document.clear_updated_by();
  return document;
}

// In the order of (kind, name): policies, then the profiles that they use, locks and servers.
void AddDocuments(std::vector<types::v1::Document> all, const Agent& agent,
                  agent::v1::Snapshot& snapshot) {
  std::set<std::string> masks;
  for (types::v1::Document& document : all) {
    if (!document.has_policy() || !CoversOne(document.policy(), agent.servers)) continue;
    masks.insert(document.policy().mask().begin(), document.policy().mask().end());
    *snapshot.add_policies() = Bare(std::move(document));
  }
  for (types::v1::Document& document : all) {
    if (document.has_mask_profile() && masks.count(document.name()) > 0) {
      *snapshot.add_mask_profiles() = Bare(std::move(document));
    } else if (document.has_lock() && CanShut(document.lock(), agent)) {
      *snapshot.add_locks() = Bare(std::move(document));
    } else if (document.has_server() && agent.Fronts(document.name())) {
      *snapshot.add_server_documents() = Bare(std::move(document));
    }
  }
}

}  // namespace

absl::StatusOr<agent::v1::SignedSnapshot> BuildSnapshot::Run(std::string_view agent_name,
                                                             const Keys& keys) const {
  agent::v1::Snapshot snapshot;
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(const std::optional<Agent> agent, agents::Find(*t, agent_name));
  if (!agent) {
    return absl::NotFoundError(absl::StrCat("agent ", ToAbsl(agent_name), " has not enrolled"));
  }
  ASSIGN_OR_RETURN(const meta::SnapshotVersion version, meta::CurrentSnapshot(*t));
  ASSIGN_OR_RETURN(const std::string deployment_id, meta::DeploymentId(*t));
  ASSIGN_OR_RETURN(std::vector<types::v1::Document> all, documents::All(*t));
  snapshot.set_epoch(version.epoch);
  snapshot.set_version(version.version);
  *snapshot.mutable_made_at() = ToProto(clock_.Now());
  snapshot.set_agent(agent->name);
  snapshot.set_deployment_id(deployment_id);
  for (const std::string& server : agent->servers) {
    snapshot.add_servers(server);
    agent::v1::EffectKey& key = *snapshot.add_effect_keys();
    key.set_server(server);
    key.set_key(effect_keys_.For(server));
  }
  AddDocuments(std::move(all), *agent, snapshot);
  for (const std::string& server : agent->servers) {
    ASSIGN_OR_RETURN(const std::vector<types::v1::ToolPin> pins, tools::Pins(*t, server));
    snapshot.mutable_tool_pins()->Add(pins.begin(), pins.end());
  }
  for (const agent::v1::IssuerKeys& issuer : keys.issuers) *snapshot.add_issuers() = issuer;
  snapshot.set_grant_keys(keys.grant_keys);
  return signer_.Sign(snapshot);
}

}  // namespace sallyport::controlplane
