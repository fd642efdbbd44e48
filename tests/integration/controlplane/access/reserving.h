#pragma once

#include <string>
#include <vector>

#include "common/strings.h"
#include "controlplane/store/calls.h"
#include "tests/integration/controlplane/access/fixture.h"

// Calls of a bot that refunds payments, each once, as its agent has them let through.
namespace sallyport::controlplane {

using agent::v1::CallOutcome;
using agent::v1::ReserveCallRequest;
using agent::v1::ReserveCallResponse;
using types::v1::DenialReason;

inline std::string Digest(char c) { return ToHex(std::string(32, c)); }

struct Reserving : Fixture {
  // A refund of one payment; a note may differ.
  struct Refund {
    char payment = 'a';
    std::vector<int> items = {1};
    std::string tool = "refund";
    char call = 0;  // 0: that of the payment
    std::string agent = "a1";
  };

  Reserving() { Rules("once: {by: [/payment]}"); }

  void Rules(const std::string& terms, const std::string& session = "max_duration: 15m") {
    ApplyPolicy(session, "[{allow: {tools: [refund, refund-all], " + terms +
                             "}}, {require_approval: {tools: [\"delete-*\"], approvers: "
                             "[\"okta:approvers\"]}}]");
    session_id = Open("bot");
  }
  std::string Open(const std::string& subject) {
    auto opened = ByAgent(BotToken(subject));
    if (opened.session().state() == types::v1::SESSION_STATE_PENDING) {
      REQUIRE(Approve(opened.session().approval_id(), SignedIn("alice")).ok());
      opened = ByAgent(BotToken(subject));
    }
    REQUIRE(opened.session().state() == types::v1::SESSION_STATE_ACTIVE);
    return opened.session().id();
  }

  void JudgeNow(ReserveCallRequest& request) {
    const auto version = *meta::CurrentSnapshot(*Read());
    request.mutable_judged_by()->set_epoch(version.epoch);
    request.mutable_judged_by()->set_version(version.version);
  }
  ReserveCallRequest Asked(const std::string& call_id, const Refund& refund) {
    ReserveCallRequest request;
    request.set_session_id(session_id);
    request.set_call_id(call_id);
    request.set_method("tools/call");
    request.set_target(refund.tool);
    request.set_call_digest(Digest(refund.call == 0 ? refund.payment : refund.call));
    std::string items;
    for (const int item : refund.items) items += (items.empty() ? "" : ",") + std::to_string(item);
    request.set_arguments(std::string(R"({"payment":")") + refund.payment + R"(","items":[)" +
                          items + "]}");
    JudgeNow(request);
    if (has_once) {
      agent::v1::OnceEffect& once = *request.add_once();
      once.set_policy("bots");
      once.add_by("/payment");
      once.add_rules(rule);
      once.set_digest(Digest(refund.payment));
    }
    if (has_limit) {
      agent::v1::TouchedObjects& touched = *request.add_touched();
      touched.set_policy("bots");
      touched.set_count("/items");
      touched.set_objects(refund.items.size());
      touched.add_rules(rule);
    }
    return request;
  }
  ReserveCallResponse Answer(const ReserveCallRequest& request, const std::string& agent = "a1") {
    const auto response = reserve->Run(Agent(agent), request);
    INFO(response.status());
    REQUIRE(response.ok());
    return *response;
  }
  DenialReason Refused(const std::string& call_id, const Refund& refund) {
    return Answer(Asked(call_id, refund), refund.agent).denial_reason();
  }
  bool Passes(const std::string& call_id, const Refund& refund) {
    const auto reason = Refused(call_id, refund);
    INFO(ReasonName(reason));
    CHECK(reason == types::v1::DENIAL_REASON_UNSPECIFIED);
    return reason == types::v1::DENIAL_REASON_UNSPECIFIED;
  }
  absl::Status Settle(const std::string& call_id, CallOutcome outcome) {
    agent::v1::SettleCallRequest request;
    request.set_session_id(session_id);
    request.set_call_id(call_id);
    request.set_outcome(outcome);
    return settle->Run(Agent("a1"), request).status();
  }
  absl::Status Resolve(const std::string& call_id, bool was_done, const Caller& by) {
    admin::v1::ResolveCallRequest request;
    request.set_session_id(session_id);
    request.set_call_id(call_id);
    request.set_was_done(was_done);
    request.set_reason("looked it up");
    return settle->Run(by, request).status();
  }
  types::v1::CallState StateOf(const std::string& call_id) {
    return (*calls::Find(*Read(), session_id, call_id, clock.Now()))->call.state();
  }

  std::string session_id;
  bool has_once = true;
  bool has_limit = false;
  int rule = 0;  // of policy bots: the one that is about refunds
};

}  // namespace sallyport::controlplane
