#pragma once

#include "common/policy/documents.h"
#include "controlplane/model/approval.h"
#include "controlplane/policies/simulate_policy.h"
#include "controlplane/policies/suggest_policy.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/sessions.h"
#include "tests/integration/controlplane/policies/recorded.h"

namespace sallyport::controlplane {

using Catch::Matchers::Contains;
using Kind = RecordedCall::Kind;
using Outcome = RecordedCall::Outcome;

inline const Caller kAuditor = APerson(false, true);

struct Suggesting : Fixture {
  Recorded recorded;
  SuggestPolicy suggest{*control, clock, recorded.Source()};
  SimulatePolicy simulate{
      *control, clock, {.all = {"okta"}, .with_people = {"okta"}}, recorded.Source()};
  admin::v1::Suggestion suggestion;

  Suggesting() { recorded.AddSession("ses_1", clock.Now()); }

  absl::Status Run(const Caller& caller = kAuditor, bool with_arguments = false) {
    admin::v1::SuggestPolicyRequest request;
    *request.mutable_calls()->mutable_since() = ToProto(clock.Now() - absl::Hours(1));
    request.mutable_calls()->set_principal("okta:0oa1");
    request.set_with_arguments(with_arguments);
    return suggest.Run(caller, request, [&](const admin::v1::SuggestPolicyResponse& response) {
      if (response.has_suggestion()) suggestion = response.suggestion();
      return true;
    });
  }

  types::v1::PolicySpec Spec(int i = 0) {
    const auto documents = ParseDocuments(suggestion.source(), "suggested");
    INFO(suggestion.source());
    REQUIRE(documents.ok());
    REQUIRE(static_cast<int>(documents->size()) > i);
    return (*documents)[i].policy();
  }

  // A call's approval that `approver` was asked for.
  std::string AddApproval(const std::string& approver) {
    types::v1::Approval proto;
    proto.set_id("apr_1");
    proto.set_session_id("ses_1");
    proto.set_server("wiki");
    proto.set_method("tools/call");
    proto.set_tool("delete");
    proto.add_approvers(approver);
    proto.set_count(2);
    *proto.mutable_created_at() = ToProto(clock.Now());
    *proto.mutable_expires_at() = ToProto(clock.Now() + absl::Minutes(5));
    Session::Request session{.id = "ses_1",
                             .request_id = "request-1",
                             .server = "wiki",
                             .agent = "a1",
                             .duration = absl::Minutes(15),
                             .created_at = clock.Now()};
    session.principal.set_realm("okta");
    session.principal.set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
    session.principal.set_subject("0oa1");
    const Window window{"win_1", clock.Now(), clock.Now() + absl::Minutes(15)};
    const auto t = *control->Write();
    REQUIRE(sessions::InsertWindow(*t, session.principal, "wiki", window).ok());
    REQUIRE(sessions::Insert(
                *t,
                Session::Active(session, {.window_id = window.id, .expires_at = window.ends_at}),
                {})
                .ok());
    REQUIRE(approvals::Insert(*t, Approval::Pending(proto, "a1", {})).ok());
    REQUIRE(t->Commit().ok());
    return proto.id();
  }
};

}  // namespace sallyport::controlplane
