#pragma once

#include "common/policy/documents.h"
#include "controlplane/policies/simulate_policy.h"
#include "controlplane/policies/suggest_policy.h"
#include "tests/integration/controlplane/policies/recorded.h"

namespace sallyport::controlplane {

using Catch::Matchers::Contains;
using Kind = RecordedCall::Kind;
using Outcome = RecordedCall::Outcome;

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
};

}  // namespace sallyport::controlplane
