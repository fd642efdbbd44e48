#include "controlplane/rpc/issuer_service.h"

#include <string>
#include <utility>

#include "common/jose/key_set.h"
#include "common/status_macros.h"
#include "controlplane/model/proto_time.h"

namespace sallyport::controlplane {
namespace {

admin::v1::IssuerState Describe(const Issuers::State& state) {
  admin::v1::IssuerState shown;
  shown.set_id(state.entry.id());
  shown.set_realm(state.entry.realm().empty() ? state.entry.id() : state.entry.realm());
  shown.set_issuer(state.entry.issuer());
  shown.set_keys_from(state.keys_from);
  shown.set_error(std::string(state.fetched.message()));
  if (state.known.keys == nullptr) return shown;
  *shown.mutable_fetched_at() = ToProto(state.known.fetched_at);
  for (std::string& id : state.known.keys->KeyIds()) shown.add_keys(std::move(id));
  for (const std::string& why : state.known.keys->skipped()) shown.add_skipped(why);
  return shown;
}

void AddRoles(const Roles& roles, admin::v1::TokenVerdict& verdict) {
  if (!verdict.is_accepted() || !verdict.may_manage()) return;
  PersonCaller person{.principal = verdict.principal(), .may_manage = true};
  roles.Assign(person);
  if (person.is_admin) verdict.add_roles("admin");
  if (person.is_approver) verdict.add_roles("approver");
  if (person.is_auditor) verdict.add_roles("auditor");
}

}  // namespace

grpc::Status IssuerRpc::CheckIssuers(grpc::ServerContext* context,
                                     const admin::v1::CheckIssuersRequest* request,
                                     admin::v1::CheckIssuersResponse* response) {
  return door_.Answer<admin::v1::CheckIssuersRequest, admin::v1::CheckIssuersResponse>(
      *context, *request, response,
      [&](const Caller&, const auto& r) -> absl::StatusOr<admin::v1::CheckIssuersResponse> {
        ASSIGN_OR_RETURN(const auto states, needs_.issuers.CheckNow(r.issuer()));
        admin::v1::CheckIssuersResponse answer;
        for (const Issuers::State& state : states) *answer.add_items() = Describe(state);
        return answer;
      });
}

grpc::Status IssuerRpc::ExplainToken(grpc::ServerContext* context,
                                     const admin::v1::ExplainTokenRequest* request,
                                     admin::v1::ExplainTokenResponse* response) {
  return door_.Answer<admin::v1::ExplainTokenRequest, admin::v1::ExplainTokenResponse>(
      *context, *request, response,
      [&](const Caller&, const auto& r) -> absl::StatusOr<admin::v1::ExplainTokenResponse> {
        ASSIGN_OR_RETURN(admin::v1::ExplainTokenResponse answer, needs_.explain.Run(r.token()));
        AddRoles(needs_.roles, *answer.mutable_people());
        return answer;
      });
}

}  // namespace sallyport::controlplane
