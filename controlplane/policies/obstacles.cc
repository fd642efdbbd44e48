#include "controlplane/policies/obstacles.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/denial.h"
#include "common/hmac.h"
#include "common/policy/rule_body.h"
#include "common/policy/session_policy.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/time_text.h"
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
        absl::StrCat("approval ", decided->id(), " was denied, which stands until ",
                     TimeText(decided->expires_at()), " for who only connects; `sallyport request ",
                     server_, " --reason TEXT` asks again"),
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
  if (asked.tool().empty()) return absl::OkStatus();
  RETURN_IF_ERROR(AddChanged(asked.tool(), call));
  return AddUsedEffects(asked, call);
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
