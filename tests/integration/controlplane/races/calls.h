#pragma once

#include <string>

#include "common/strings.h"
#include "tests/integration/controlplane/access/fixture.h"
#include "tests/integration/controlplane/races/approval_history.h"

namespace sallyport::controlplane {

// A session whose calls all need one person's approval, and what may happen to one of them.
struct Calls : Fixture {
  static constexpr char kTerms[] = "max_duration: 24h, idle_timeout: 24h";
  static constexpr char kRules[] =
      "[{require_approval: {tools: [\"t*\"], approvers: [\"okta:approvers\"], expires_after: 5s}}]";

  Calls() {
    ApplyPolicy(kTerms, kRules);
    OpenAs("bot");
  }
  void OpenAs(const std::string& who) {
    subject = who;
    session_id = ByAgent(BotToken(subject)).session().id();
  }

  // A call that nobody has asked about before. Sixty of one principal's: more questions that nobody
  // answers may not be put to people.
  std::string Ask(int round) {
    if (round % 60 == 59) OpenAs("bot-" + std::to_string(round));
    target = "t" + std::to_string(round);
    agent::v1::RequestCallApprovalRequest request;
    request.set_session_id(session_id);
    request.set_method("tools/call");
    request.set_target(target);
    request.set_arguments_digest(kDigest);
    const auto response = calls->Run(Agent("a1"), request);
    INFO(response.status());
    REQUIRE(response.ok());
    REQUIRE(response->has_approval());
    return response->approval().id();
  }
  // One attempt to use it; for as long as other policies come into force, judged again.
  void Consume(const std::string& id, const std::string& call_id) {
    agent::v1::ReserveCallRequest request;
    request.set_approval_id(id);
    request.set_session_id(session_id);
    request.set_call_id(call_id);
    request.set_method("tools/call");
    request.set_target(target);
    request.set_arguments_digest(kDigest);
    // Of its own: one in doubt, since its session has ended, must not stand in the next one's way.
    request.set_call_digest(ToHex(Sha256(target)));
    for (int tries = 0; tries < 3; ++tries) {
      const auto version = *meta::CurrentSnapshot(*Read());
      request.mutable_judged_by()->set_epoch(version.epoch);
      request.mutable_judged_by()->set_version(version.version);
      const auto response = reserve->Run(Agent("a1"), request);
      if (!response.ok() || !response->has_in_force() ||
          response->in_force().version() == version.version) {
        return;
      }
    }
  }
  void Withdraw(const std::string& id) {
    agent::v1::WithdrawCallApprovalRequest request;
    request.set_approval_id(id);
    request.set_session_id(session_id);
    (void)calls->Run(Agent("a1"), request);
  }
  void Revoke(const std::string& id) {
    admin::v1::RevokeApprovalRequest request;
    request.set_id(id);
    (void)revoke->Run(alice, request);
  }

  const Caller alice = SignedIn("alice");
  const Caller bob = SignedIn("bob");
  std::string subject;
  std::string session_id;
  std::string target;
};

}  // namespace sallyport::controlplane
