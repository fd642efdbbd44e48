#include "controlplane/policies/explain_policy.h"

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/policy/compiled_policies.h"
#include "common/policy/explain.h"
#include "common/status_macros.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/policies/check_call.h"
#include "controlplane/policies/explain_token.h"
#include "controlplane/policies/obstacles.h"
#include "controlplane/policies/policy_call.h"
#include "controlplane/store/documents.h"

namespace sallyport::controlplane {

absl::StatusOr<types::v1::Principal> ExplainPolicy::PrincipalOf(
    const admin::v1::ExplainPolicyRequest& request) const {
  if (request.has_claims()) {
    return issuers_.trusted().MapUnverified(request.claims().json(), request.claims().issuer());
  }
  if (!request.has_token()) return absl::InvalidArgumentError("who: a token or claims are needed");
  const std::vector<std::string> urls = UrlsAmongAudiences(request.token());
  auto result = issuers_.Identify(request.token(), {.door = Door::kAgent, .resource_uris = urls});
  if (const auto* refusal = std::get_if<TokenRefusal>(&result)) {
    // Not the reason's own code: it is no token of the caller's.
    return absl::InvalidArgumentError(
        absl::StrCat("an agent would refuse the token: ", std::string(ReasonName(refusal->reason)),
                     ": ", WhyRefused(*refusal)));
  }
  return std::move(std::get<Identity>(result).principal);
}

absl::StatusOr<admin::v1::ExplainPolicyResponse> ExplainPolicy::Run(
    const admin::v1::ExplainPolicyRequest& request) const {
  const types::v1::PolicyTestCall& call = request.call();
  RETURN_IF_ERROR(CheckCall(call));
  admin::v1::ExplainPolicyResponse response;
  ASSIGN_OR_RETURN(*response.mutable_principal(), PrincipalOf(request));
  const absl::Time now = request.has_at() ? FromProto(request.at()) : clock_.Now();
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(const std::vector<types::v1::Document> documents, documents::All(*t));
  ASSIGN_OR_RETURN(const auto policies, CompiledPolicies::Compile(documents));
  const auto explain = [&](const Question& question) {
    return Explain(policies, response.principal(), call.server(), "", question, now);
  };
  *response.mutable_opening() = explain({});
  const Question question{.call = PolicyCallOf(call), .server_request = call.server_request()};
  if (!question.call.method.empty() || !question.server_request.empty()) {
    *response.mutable_call() = explain(question);
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> warnings, CallWarnings(*t, call));
  *response.mutable_warnings() = {warnings.begin(), warnings.end()};
  // Of another time it is not known.
  if (request.has_at()) return response;
  const Obstacles obstacles(*t, policies, effect_keys_, response.principal(), call.server(), now);
  RETURN_IF_ERROR(obstacles.AddToOpening(*response.mutable_opening()));
  if (response.has_call()) RETURN_IF_ERROR(obstacles.AddToCall(call, *response.mutable_call()));
  return response;
}

}  // namespace sallyport::controlplane
