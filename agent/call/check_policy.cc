#include "agent/call/check_policy.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/mcp/methods.h"
#include "common/denial.h"
#include "common/status_macros.h"
#include "common/time_text.h"

namespace sallyport::agent {
namespace {

RefusedCall Refuse(GrantedCall call, std::shared_ptr<const ClientMessage> message, absl::Status why,
                   RefusalDetails details = {}) {
  return RefusedCall{std::move(call), std::move(message), std::move(why), std::move(details)};
}

std::string_view Bytes(const ClientMessage& message, Span span) {
  return std::string_view(message.bytes).substr(span.begin, span.size());
}

std::string Sentence(const CallDecision& decision, const ClientMessage& message) {
  if (!decision.detail.empty()) return decision.detail;
  std::string sentence = "policy does not allow " + message.method;
  if (!message.target.empty()) sentence += " of " + message.target;
  return sentence;
}

// A client that may be asked for its roots may say that they changed; one that may be asked to run
// tasks, how they stand.
bool IsNoticeOfClient(const ClientMessage& message, const UsableCapabilities& usable) {
  if (message.method == "notifications/roots/list_changed") return usable.roots;
  return message.method == "notifications/tasks/status" && (usable.sampling || usable.elicitation);
}

absl::Status UnknownTask(RefusalDetails& details) {
  details.is_hidden = true;
  return Denied(types::v1::DENIAL_REASON_CLIENT_MISMATCH,
                "the task is none that this MCP session asked for");
}

// Who is offered our tasks has their methods without a rule, and no task but those that were
// answered before.
bool IsOfOfferedTasks(const ClientMessage& message, const ClientMethod* method,
                      const UsableCapabilities& usable) {
  return message.era == Era::kModern && usable.approved_tools && method != nullptr &&
         method->target == TargetKind::kTask;
}

// What the session may not ask, whatever policy says.
absl::Status CheckClaims(const McpSession& mcp, const ClientMessage& message,
                         const ClientMethod& method, RefusalDetails& details) {
  if (method.target == TargetKind::kTask && !mcp.HasTask(message.task_id)) {
    return UnknownTask(details);
  }
  if (message.method == "resources/subscribe" && !mcp.MaySubscribe(message.target)) {
    return Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED, "too many subscriptions, or too long");
  }
  return absl::OkStatus();
}

// What is not served here, whatever policy says.
absl::Status CheckServed(const McpConnection& connection, const ClientMessage& message,
                         const ClientMethod* method, const UsableCapabilities& usable) {
  const bool is_misplaced =
      method != nullptr && (method->is_notification != (message.shape == Shape::kNotification) ||
                            !Has(method->eras, message.era));
  if (is_misplaced) {
    return Denied(types::v1::DENIAL_REASON_METHOD_UNKNOWN, "the method is not served here");
  }
  const bool is_of_tasks = method != nullptr && (method->target == TargetKind::kTask ||
                                                 method->list == ListKind::kTasks);
  if (is_of_tasks && message.era == Era::kLegacy && !connection.has_tasks()) {
    return Denied(types::v1::DENIAL_REASON_METHOD_UNKNOWN, "the server has no tasks");
  }
  if (message.asks_for_task && message.era == Era::kLegacy &&
      !(usable.tasks && message.method == "tools/call")) {
    return Denied(types::v1::DENIAL_REASON_METHOD_UNKNOWN, "it cannot be run as a task here");
  }
  return absl::OkStatus();
}

CallDecision Evaluate(const SessionPolicy& policy, const ClientMessage& message,
                      const UsableCapabilities& usable, absl::Time now) {
  if (IsNoticeOfClient(message, usable)) return {.verdict = Verdict::kAllow};
  return policy.EvaluateCall({.method = message.method,
                              .target = message.target,
                              .ref_is_resource = message.ref_is_resource,
                              .arguments = Bytes(message, message.arguments)},
                             now);
}

// The token alone would have the right, and the session was opened without it.
bool IsForAnotherSession(const GrantedCall& call, const ClientMessage& message,
                         const UsableCapabilities& usable, absl::Time now) {
  const AuthenticatedCall& authenticated = *call.authenticated;
  if (authenticated.caller->principal == call.session->opened_as) return false;
  const auto own =
      SessionPolicy::Bind(authenticated.snapshot->policies(), *authenticated.caller->principal,
                          call.session->facts().server);
  return MayPass(Evaluate(*own, message, usable, now));
}

// A call that has waited may know an older version than the session goes by already.
bool IsBehind(const SessionRules& rules, const ServedSession& session) {
  if (session.rules == nullptr) return false;
  const AgentSnapshot& kept = *session.rules->snapshot;
  return std::pair(rules.snapshot->epoch(), rules.snapshot->version()) <
         std::pair(kept.epoch(), kept.version());
}

// The session's mask is for all whom its tokens have named.
absl::Status AddMasks(Gateway& gateway, ServedSession& session, const SessionRules& rules) {
  std::set<std::string> names;
  const auto add = [&](const SessionRules& of) {
    names.insert(of.policy->mask_names().begin(), of.policy->mask_names().end());
  };
  add(rules);
  auto& all = session.spoken_as;
  const bool is_new = std::find(all.begin(), all.end(), rules.principal) == all.end();
  if (session.masks_of == rules.snapshot) {
    names.insert(session.mask_names.begin(), session.mask_names.end());
  } else {
    for (const auto& principal : all) {
      ASSIGN_OR_RETURN(const auto before,
                       gateway.rule_maker.Make(rules.snapshot, principal, *session.opened_as,
                                               session.facts().server));
      add(*before);
    }
  }
  ASSIGN_OR_RETURN(session.mask.plan,
                   gateway.rule_maker.PlanFor(
                       rules.snapshot, std::vector<std::string>(names.begin(), names.end())));
  if (is_new) all.push_back(rules.principal);
  session.masks_of = rules.snapshot;
  session.mask_names = std::move(names);
  return absl::OkStatus();
}

JudgedCall Judged(GrantedCall call, std::shared_ptr<const ClientMessage> message,
                  std::shared_ptr<const SessionRules> rules, CallDecision decision,
                  bool counts_as_call) {
  const Continuation* before = call.continues.get();
  const bool is_approved = before != nullptr && !before->approval_id.empty();
  const bool needs_approval = decision.verdict == Verdict::kRequireApproval && !is_approved;
  const bool is_counted = counts_as_call && !(before != nullptr && before->is_counted);
  auto judgement = std::make_shared<const Judgement>(
      Judgement{std::move(rules), std::move(decision), is_counted});
  return {std::move(call), std::move(message), std::move(judgement), needs_approval};
}

}  // namespace

bool MayPass(const CallDecision& decision) {
  return decision.verdict == Verdict::kAllow || decision.verdict == Verdict::kRequireApproval;
}

absl::StatusOr<std::shared_ptr<const SessionRules>> FindRules(
    Gateway& gateway, const ServedSession& session, const Caller& caller,
    std::shared_ptr<const AgentSnapshot> snapshot) {
  if (session.rules != nullptr && session.rules->principal == caller.principal &&
      session.rules->snapshot == snapshot) {
    return session.rules;
  }
  return gateway.rule_maker.Make(std::move(snapshot), caller.principal, *session.opened_as,
                                 session.facts().server);
}

absl::Status KeepRules(Gateway& gateway, ServedSession& session,
                       std::shared_ptr<const SessionRules> rules) {
  if (rules == session.rules || IsBehind(*rules, session)) return absl::OkStatus();
  RETURN_IF_ERROR(AddMasks(gateway, session, *rules));
  session.rules = std::move(rules);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const SessionRules>> RulesFor(
    Gateway& gateway, ServedSession& session, const Caller& caller,
    std::shared_ptr<const AgentSnapshot> snapshot) {
  auto rules = FindRules(gateway, session, caller, std::move(snapshot));
  if (rules.ok()) RETURN_IF_ERROR(KeepRules(gateway, session, *rules));
  return rules;
}

std::string HowToOpenAnew(ServedSession& session, Era era) {
  if (era == Era::kLegacy) return "end the session (DELETE) and initialize again with this token";
  return absl::StrCat("the session ends once nothing has been asked for ",
                      absl::FormatDuration(session.live().idle_timeout()), ", at ",
                      TimeText(session.facts().expires_at),
                      " at the latest, or by `sallyport sessions end ", session.id(),
                      " --no-lock`; call again with this token then");
}

Stage<JudgedCall> CheckPolicy(Gateway& gateway, GrantedCall call,
                              std::shared_ptr<const ClientMessage> message) {
  auto rules =
      RulesFor(gateway, *call.session, *call.authenticated->caller, call.authenticated->snapshot);
  if (!rules.ok()) return Refuse(std::move(call), std::move(message), rules.status());
  const absl::Time now = gateway.clock.Now();
  const UsableCapabilities& usable = (*rules)->policy->capabilities(now);
  const ClientMethod* method = FindClientMethod(message->method);
  if (absl::Status served = CheckServed(*call.connection, *message, method, usable); !served.ok()) {
    return Refuse(std::move(call), std::move(message), std::move(served));
  }
  CallDecision decision = Evaluate(*(*rules)->policy, *message, usable, now);
  RefusalDetails details;
  if (decision.verdict == Verdict::kDeny || decision.verdict == Verdict::kHidden) {
    details.is_hidden = decision.verdict == Verdict::kHidden;
    details.policy = std::string(decision.policy);
    absl::Status why = details.is_hidden && IsOfOfferedTasks(*message, method, usable)
                           ? UnknownTask(details)
                           : Denied(decision.reason, Sentence(decision, *message));
    if (IsForAnotherSession(call, *message, usable, now)) {
      details.is_hidden = false;
      why = Denied(types::v1::DENIAL_REASON_POLICY_DENIED,
                   absl::StrCat("the session was opened with a token that had not this right; ",
                                HowToOpenAnew(*call.session, message->era)));
    }
    return Refuse(std::move(call), std::move(message), std::move(why), std::move(details));
  }
  const absl::Status claims = method == nullptr
                                  ? absl::OkStatus()
                                  : CheckClaims(call.connection->mcp(), *message, *method, details);
  if (!claims.ok()) {
    return Refuse(std::move(call), std::move(message), claims, std::move(details));
  }
  return Judged(std::move(call), std::move(message), *std::move(rules), std::move(decision),
                method != nullptr && method->is_counted);
}

bool BringUpToDate(Gateway& gateway, GrantedCall& call) {
  auto current = gateway.snapshots.current();
  const AuthenticatedCall& asked = *call.authenticated;
  auto caller = call.session->CallerFor(asked.caller, gateway.clock.Now());
  if (current == asked.snapshot && caller == asked.caller) return false;
  AuthenticatedCall authenticated = asked;
  authenticated.snapshot = std::move(current);
  authenticated.caller = std::move(caller);
  call.authenticated = std::make_shared<const AuthenticatedCall>(std::move(authenticated));
  return true;
}

Stage<JudgedCall> JudgeAgain(Gateway& gateway, JudgedCall call) {
  if (!BringUpToDate(gateway, call.granted)) return call;
  return CheckPolicy(gateway, std::move(call.granted), std::move(call.message));
}

}  // namespace sallyport::agent
