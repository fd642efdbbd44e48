#include "controlplane/policies/build_snapshot.h"

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/snapshot_limits.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/keys/effect_keys.h"
#include "controlplane/keys/snapshot_signer.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/policies/snapshot_documents.h"
#include "controlplane/store/agents.h"
#include "controlplane/store/documents.h"
#include "controlplane/store/meta.h"
#include "controlplane/store/tools.h"

namespace sallyport::controlplane {
namespace {

void AddDocuments(std::vector<types::v1::Document> all, const Agent& agent,
                  agent::v1::Snapshot& snapshot) {
  for (types::v1::Document* document : DocumentsFor(agent, all)) {
    auto* list = document->has_policy()         ? snapshot.mutable_policies()
                 : document->has_mask_profile() ? snapshot.mutable_mask_profiles()
                 : document->has_lock()         ? snapshot.mutable_locks()
                                                : snapshot.mutable_server_documents();
    *list->Add() = Bare(std::move(*document));
  }
}

// What an agent cannot take would not arrive, and it would go on by what it knew before: it is told
// instead that there is more than it can know, and lets nothing through.
void WithholdTooMuch(agent::v1::Snapshot& snapshot) {
  const std::size_t bytes = snapshot.ByteSizeLong();
  if (bytes <= kMaxSnapshotBytes) return;
  LogError("snapshot_withheld",
           {{"agent", snapshot.agent()}, {"bytes", bytes}, {"limit", kMaxSnapshotBytes}});
  const std::string why =
      absl::StrCat("all that the agent must know, its policies, locks, keys and tools, is ", bytes,
                   " bytes, and it takes ", kMaxSnapshotBytes);
  snapshot.clear_policies();
  snapshot.clear_mask_profiles();
  snapshot.clear_locks();
  snapshot.clear_issuers();
  snapshot.clear_server_documents();
  snapshot.clear_tool_pins();
  snapshot.set_withheld(why);
  // For agents that do not know of that.
  types::v1::Document& all = *snapshot.add_locks();
  all.set_kind(types::v1::DOCUMENT_KIND_LOCK);
  all.set_name("policies-withheld");
  all.mutable_lock()->set_reason(why);
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
  WithholdTooMuch(snapshot);
  return signer_.Sign(snapshot);
}

}  // namespace sallyport::controlplane
