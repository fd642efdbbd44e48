#include "controlplane/policies/obstacles.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/denial.h"
#include "common/hmac.h"
#include "common/jose/strict_json.h"
#include "common/policy/approvers.h"
#include "common/policy/rule_body.h"
#include "common/policy/session_policy.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/time_text.h"
#include "controlplane/model/caller.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/policies/policy_call.h"
#include "controlplane/store/agents.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/documents.h"
#include "controlplane/store/sessions.h"
#include "controlplane/store/tools.h"
#include "controlplane/store/used_effects.h"

namespace sallyport::controlplane {
namespace {

using types::v1::Explanation;
using types::v1::RuleBody;

constexpr int kPage = 500;
// As deep as a message may be.
constexpr int kMaxDepth = 64;

void Add(types::v1::DenialReason reason, std::string detail, Explanation& explanation) {
  types::v1::Obstacle& obstacle = *explanation.add_obstacles();
  obstacle.set_reason(reason);
  obstacle.set_detail(std::move(detail));
}

// Of a policy in force.
absl::StatusOr<std::vector<RuleBody>> RulesOf(Transaction& t, const std::string& policy,
                                              const std::vector<int>& rules) {
  ASSIGN_OR_RETURN(const std::optional<types::v1::Document> document,
                   documents::Find(t, types::v1::DOCUMENT_KIND_POLICY, policy));
  std::vector<RuleBody> bodies;
  for (const int rule : rules) bodies.push_back(BodyOf(document->policy().rules(rule)));
  return bodies;
}

// Those that are banned, too.
absl::StatusOr<std::vector<Agent>> AllFronting(Transaction& t, const std::string& server) {
  std::vector<Agent> fronting;
  std::string after;
  while (true) {
    ASSIGN_OR_RETURN(std::vector<Agent> page, agents::List(t, after, kPage));
    const bool is_last = page.size() < kPage;
    if (!is_last) after = page.back().name;
    for (Agent& agent : page) {
      if (agent.Fronts(server)) fronting.push_back(std::move(agent));
    }
    if (is_last) return fronting;
  }
}

// `approval apr_1 was denied by okta:alice: not today; that stands until TIME`
std::string WhatStands(const Approval& no) {
  return absl::StrCat("approval ", no.id(), " was ", DenialWords(no.proto()),
                      "; that stands until ", TimeText(no.expires_at()));
}

// Whether the arguments are those of the call that was denied. nullopt: of that call not all can be
// read here.
std::optional<bool> IsIdentical(const types::v1::Approval& denied, std::string_view arguments) {
  if (!denied.cut().empty() || !denied.shortened().empty() || !denied.other_params().empty())
    return std::nullopt;
  const auto read = [](std::string_view json) {
    return jose::ParseStrictJson(json.empty() ? "{}" : json, kMaxDepth);
  };
  const auto were = read(denied.arguments());
  const auto are = read(arguments);
  if (!were.ok() || !are.ok()) return std::nullopt;
  return *were == *are;
}

}  // namespace

absl::Status Obstacles::AddToOpening(Explanation& opening) const {
  if (opening.decision() == "deny") return absl::OkStatus();
  RETURN_IF_ERROR(AddAgents(opening));
  RETURN_IF_ERROR(AddUsedUp(opening));
  RETURN_IF_ERROR(AddStandingNo(opening));
  AddOwners(opening);
  return absl::OkStatus();
}

absl::Status Obstacles::AddAgents(Explanation& opening) const {
  ASSIGN_OR_RETURN(const std::vector<Agent> fronting, AllFronting(t_, server_));
  if (std::ranges::all_of(fronting, [](const Agent& agent) { return agent.is_banned(); })) {
    Add(types::v1::DENIAL_REASON_SERVER_UNKNOWN,
        absl::StrCat("no agent in service fronts the server; `sallyport agents token create "
                     "--servers ",
                     server_, "` lets one enroll"),
        opening);
  }
  for (const Agent& agent : fronting) {
    const std::string_view lock = policies_->LockOn(principal_, server_, agent.name, now_);
    if (agent.is_banned()) {
      Add(types::v1::DENIAL_REASON_LOCKED,
          absl::StrCat("agent ", agent.name, ", which fronts it, is banned until it enrolls again"),
          opening);
    } else if (!lock.empty()) {
      Add(types::v1::DENIAL_REASON_LOCKED,
          absl::StrCat("at agent ", agent.name, " lock ", ToAbsl(lock),
                       " shuts it; `sallyport delete lock ", ToAbsl(lock), "` opens it"),
          opening);
    }
  }
  return absl::OkStatus();
}

absl::Status Obstacles::AddUsedUp(Explanation& opening) const {
  const OpenDecision open = policies_->EvaluateOpen(principal_, server_, "", now_);
  // A new approval opens a new window.
  if (open.terms.max_calls() == 0 || open.terms.has_approval()) return absl::OkStatus();
  // Who has a session goes on with that.
  ASSIGN_OR_RETURN(const std::vector<Session> live, sessions::Live(t_, principal_, server_));
  if (std::ranges::any_of(live, [&](const Session& one) { return one.IsActiveAt(now_); }))
    return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::optional<Window> window,
                   sessions::OpenWindow(t_, principal_, server_, now_));
  if (!window.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const WindowCalls calls, sessions::CallsUsed(t_, window->id));
  if (calls.used >= open.terms.max_calls()) {
    Add(types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
        WhyUsedUp(calls, open.terms.max_calls(), window->ends_at), opening);
  }
  return absl::OkStatus();
}

absl::Status Obstacles::AddStandingNo(Explanation& opening) const {
  if (opening.decision() != "require_approval") return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::optional<Approval> decided,
                   approvals::LastDecidedForSession(t_, principal_, server_, now_));
  if (decided.has_value() && decided->state() == types::v1::APPROVAL_STATE_DENIED) {
    Add(types::v1::DENIAL_REASON_APPROVAL_DENIED,
        absl::StrCat(WhatStands(*decided), " for who only connects; `sallyport request ", server_,
                     " --reason TEXT` asks again"),
        opening);
  }
  return absl::OkStatus();
}

void Obstacles::AddOwners(Explanation& explanation) const {
  if (explanation.decision() != "require_approval") return;
  const std::vector<std::string> owners = policies_->OwnersOf(principal_);
  const bool is_nobody_left =
      std::ranges::all_of(explanation.approvers(), [&](const std::string& approver) {
        return std::ranges::find(owners, approver) != owners.end();
      });
  if (!is_nobody_left) return;
  Add(types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE,
      absl::StrCat("nobody can approve it: all approvers (", absl::StrJoin(owners, ", "),
                   ") own the principal; name others"),
      explanation);
}

absl::Status Obstacles::AddToCall(const types::v1::PolicyTestCall& asked, Explanation& call) const {
  if (call.decision() == "deny") return absl::OkStatus();
  AddOwners(call);
  RETURN_IF_ERROR(AddStandingNo(asked, call));
  if (asked.tool().empty()) return absl::OkStatus();
  RETURN_IF_ERROR(AddChanged(asked.tool(), call));
  return AddUsedEffects(asked, call);
}

absl::StatusOr<bool> Obstacles::IsStillAsked(const types::v1::Approval& denied,
                                             const Explanation& call) const {
  if (denied.server() != server_ || !IsSameClient(denied.principal(), principal_) ||
      denied.count() != call.count() || !std::ranges::equal(denied.approvers(), call.approvers())) {
    return false;
  }
  ASSIGN_OR_RETURN(const std::optional<Tool> tool, tools::Find(t_, server_, denied.tool()));
  if (!tool.has_value() || denied.definition_hash().empty()) return true;
  const types::v1::Tool& seen = tool->proto();
  return denied.definition_hash() ==
         (tool->is_changed() ? seen.changed_hash() : seen.definition_hash());
}

absl::Status Obstacles::AddStandingNo(const types::v1::PolicyTestCall& asked,
                                      Explanation& call) const {
  if (call.decision() != "require_approval") return absl::OkStatus();
  const PolicyCall described = PolicyCallOf(asked);
  ASSIGN_OR_RETURN(const std::vector<Approval> denied,
                   approvals::DeniedCallsOf(t_, described.method, described.target, now_));
  const Approval* stands = nullptr;
  bool is_sure = false;
  for (const Approval& approval : denied) {
    ASSIGN_OR_RETURN(const bool is_still_asked, IsStillAsked(approval.proto(), call));
    if (!is_still_asked) continue;
    const std::optional<bool> is_identical = IsIdentical(approval.proto(), described.arguments);
    is_sure = is_identical.value_or(false);
    if (is_sure || (!is_identical.has_value() && stands == nullptr)) stands = &approval;
    if (is_sure) break;
  }
  if (stands == nullptr) return absl::OkStatus();
  Add(types::v1::DENIAL_REASON_APPROVAL_DENIED,
      absl::StrCat(WhatStands(*stands), " for this client's identical call",
                   is_sure ? ""
                           : "; whether this is one cannot be told, for what that one said does "
                             "not stand there whole"),
      call);
  return absl::OkStatus();
}

absl::Status Obstacles::AddChanged(const std::string& name, Explanation& call) const {
  ASSIGN_OR_RETURN(const std::optional<Tool> tool, tools::Find(t_, server_, name));
  const types::v1::PinMode pin = policies_->PinOf(server_);
  if (!tool.has_value() || !tool->is_changed() || pin == types::v1::PIN_MODE_IGNORE)
    return absl::OkStatus();
  Add(types::v1::DENIAL_REASON_DEFINITION_CHANGED,
      absl::StrCat("its definition has changed, and it ",
                   pin == types::v1::PIN_MODE_DENY ? "is refused" : "waits",
                   " until an administrator accepts that: `sallyport tools accept ", server_, " ",
                   name, "`"),
      call);
  return absl::OkStatus();
}

absl::Status Obstacles::AddUsedEffects(const types::v1::PolicyTestCall& asked,
                                       Explanation& call) const {
  const CallDecision decision =
      SessionPolicy::Bind(policies_, principal_, server_)->EvaluateCall(PolicyCallOf(asked), now_);
  std::vector<absl::Status> checked;
  for (const OnceDemand& demand : decision.once) {
    const std::string digest = ToHex(HmacSha256(effect_keys_.For(server_), demand.key));
    ASSIGN_OR_RETURN(const std::vector<RuleBody> rules, RulesOf(t_, demand.policy, demand.rules));
    for (const RuleBody& rule : rules)
      checked.push_back(used_effects::CheckOnce(t_, server_, rule, digest, {}, now_));
  }
  for (const LimitDemand& demand : decision.limits) {
    ASSIGN_OR_RETURN(std::vector<RuleBody> rules, RulesOf(t_, demand.policy, demand.rules));
    for (RuleBody& rule : rules) {
      *rule.mutable_limit()->mutable_window() = ToProto(demand.window);
      checked.push_back(
          used_effects::CheckLimit(t_, principal_, server_, rule, demand.objects, now_));
    }
  }
  for (const absl::Status& status : checked) {
    if (status.ok()) continue;
    if (ReasonOf(status) == types::v1::DENIAL_REASON_UNSPECIFIED) return status;
    Add(ReasonOf(status), std::string(status.message()), call);
  }
  return absl::OkStatus();
}

}  // namespace sallyport::controlplane
