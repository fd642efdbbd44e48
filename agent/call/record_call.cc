#include "agent/call/record_call.h"

#include <memory>
#include <utility>
#include <variant>

#include "agent/call/check_policy.h"
#include "agent/call/settle_call.h"
#include "agent/mask/json_masker.h"
#include "common/denial.h"

namespace sallyport::agent {
RecordFacts FactsOf(const Caller* caller, const McpConnection& connection,
                    const SessionRules* rules, std::string_view policy,
                    std::string_view approval_id, std::string_view client_address) {
  RecordFacts facts;
  if (rules != nullptr) {
    facts.policy_epoch = rules->snapshot->epoch();
    facts.policy_version = rules->snapshot->version();
    facts.content = rules->records_content;
  }
  facts.policy = policy;
  facts.approval_id = approval_id;
  facts.mcp_session = connection.record_tag();
  if (caller != nullptr) facts.token_id = caller->token_id;
  facts.client_address = client_address;
  return facts;
}

Continuation ContinuationOf(const RecordedCall& call) {
  const Continuation* before = call.granted.continues.get();
  return Continuation{
      .is_counted = call.judgement->is_counted || (before && before->is_counted),
      .approval_id = !call.approval_id.empty() || !before ? call.approval_id : before->approval_id,
      .call_id = call.call_id,
      .rounds = before ? before->rounds : 0};
}

namespace {

struct MaskedCall {
  JudgedCall judged;
  absl::StatusOr<MaskedRequest> masked;
};

// How often a long call is masked anew because policies have changed meanwhile.
constexpr int kMostTries = 3;

// More than leave: what people and the control plane have been asked for was by the policies
// before.
bool WantsMoreThanLeave(const JudgedCall& call) {
  const CallDecision& decision = call.judgement->decision;
  return call.needs_approval || !decision.once.empty() || !decision.limits.empty() ||
         decision.on_unknown != types::v1::ON_UNKNOWN_ALLOW;
}

// A call that other policies than it was masked under have come into force for meanwhile, which
// only a long one is slow enough for: judged and masked by those. Otherwise why it must not go out.
Task<Stage<MaskedCall>> MaskAgain(Gateway& gateway, JudgedCall call) {
  for (int tries = 1;; ++tries) {
    auto judged = JudgeAgain(gateway, std::move(call));
    if (auto* refused = std::get_if<RefusedCall>(&judged)) co_return std::move(*refused);
    call = std::get<JudgedCall>(std::move(judged));
    if (tries == kMostTries || WantsMoreThanLeave(call)) {
      absl::Status why =
          Denied(types::v1::DENIAL_REASON_POLICY_CHANGED,
                 "policies changed while the call waited; it was not sent: call again");
      co_return RefusedCall{std::move(call.granted), std::move(call.message), std::move(why), {}};
    }
    const auto policies = gateway.snapshots.current();
    const ServedSession& session = *call.granted.session;
    auto masked =
        co_await gateway.masker.MaskRequest(session.principal_key(), call.message, session.mask);
    if (policies == gateway.snapshots.current())
      co_return MaskedCall{std::move(call), std::move(masked)};
  }
}

}  // namespace

Task<Stage<RecordedCall>> RecordCall(Gateway& gateway, PermittedCall call) {
  JudgedCall& judged = call.judged;
  const auto unsent = [&](RefusedCall refused) {
    SettleUnsent(gateway, refused.granted, call.call_id);
    refused.details.approval_id = call.approval_id;
    return refused;
  };
  const auto refuse = [&](absl::Status why) {
    return unsent({std::move(judged.granted), std::move(judged.message), std::move(why), {}});
  };
  ServedSession& session = *judged.granted.session;
  const auto policies = gateway.snapshots.current();
  auto masked =
      co_await gateway.masker.MaskRequest(session.principal_key(), judged.message, session.mask);
  if (policies != gateway.snapshots.current()) {
    auto again = co_await MaskAgain(gateway, std::move(judged));
    if (auto* refused = std::get_if<RefusedCall>(&again)) co_return unsent(std::move(*refused));
    judged = std::move(std::get<MaskedCall>(again).judged);
    masked = std::move(std::get<MaskedCall>(again).masked);
  }
  if (!masked.ok()) {
    co_return refuse(Denied(types::v1::DENIAL_REASON_MASKER_BLOCKED,
                            "the request cannot be recorded, for it cannot be masked"));
  }
  if (session.live().is_ended()) {
    co_return refuse(session.live().end().Refusal());
  }
  const Judgement& judgement = *judged.judgement;
  const bool is_counted = judgement.is_counted;
  if (is_counted && !session.live().CountCall()) {
    co_return refuse(
        Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED, "the session has used up its max_calls"));
  }
  if (is_counted)
    judged.granted.counted = std::make_shared<const CountedOperation>(judged.granted.session);
  RequestFacts facts;
  static_cast<RecordFacts&>(facts) =
      FactsOf(judged.granted.authenticated->caller.get(), *judged.granted.connection,
              judgement.rules.get(), judgement.decision.policy, call.approval_id,
              judged.granted.authenticated->incoming.client_address);
  facts.call_id = call.call_id;
  facts.is_counted = is_counted;
  if (const auto& observed = judgement.decision.observed) {
    facts.observed_reason = observed->reason;
    facts.observed_policy = observed->policy;
  }
  auto outbound =
      co_await gateway.recorder.RecordRequest(*session.chain, facts, *std::move(masked));
  if (!outbound.ok()) {
    if (is_counted) {
      session.live().UncountCall();
      judged.granted.counted = nullptr;
    }
    co_return refuse(outbound.status());
  }
  co_return RecordedCall{std::move(judged.granted), std::move(judged.judgement),
                         *std::move(outbound),      std::move(call.approval_id),
                         std::move(call.call_id),   std::move(call.place)};
}

Task<absl::StatusOr<OutboundMessage>> RecordOutbound(Gateway& gateway, Held<ServedSession> session,
                                                     Held<McpConnection> connection,
                                                     std::shared_ptr<const ClientMessage> message,
                                                     std::shared_ptr<const Caller> caller,
                                                     std::string policy,
                                                     std::string client_address) {
  const std::shared_ptr<const SessionRules> rules = session->rules;
  auto masked = co_await gateway.masker.MaskRequest(session->principal_key(), std::move(message),
                                                    session->mask);
  if (!masked.ok()) co_return masked.status();
  RequestFacts facts;
  static_cast<RecordFacts&>(facts) =
      FactsOf(caller.get(), *connection, rules.get(), policy, {}, client_address);
  co_return co_await gateway.recorder.RecordRequest(*session->chain, facts, *std::move(masked));
}

}  // namespace sallyport::agent
