#include "controlplane/rpc/caller_service.h"

#include "controlplane/model/proto_time.h"

namespace sallyport::controlplane {
namespace {

admin::v1::GetCallerResponse Describe(const Caller& caller) {
  admin::v1::GetCallerResponse response;
  response.set_name(ActorName(caller));
  const PersonCaller* person = caller.person();
  if (person == nullptr) {
    response.set_may_manage(caller.is_admin());
    if (caller.is_admin()) response.add_roles("admin");
    return response;
  }
  *response.mutable_principal() = person->principal;
  response.set_issuer(person->issuer_id);
  if (person->is_admin) response.add_roles("admin");
  if (person->is_approver) response.add_roles("approver");
  if (person->is_auditor) response.add_roles("auditor");
  response.set_may_manage(person->may_manage);
  response.set_may_access(person->may_access);
  *response.mutable_token_expires_at() = ToProto(person->token_expires_at);
  return response;
}

}  // namespace

grpc::Status CallerRpc::GetCaller(grpc::ServerContext* context,
                                  const admin::v1::GetCallerRequest* request,
                                  admin::v1::GetCallerResponse* response) {
  return door_.Answer<admin::v1::GetCallerRequest, admin::v1::GetCallerResponse>(
      *context, *request, response,
      [](const Caller& caller, const auto&) -> absl::StatusOr<admin::v1::GetCallerResponse> {
        return Describe(caller);
      });
}

}  // namespace sallyport::controlplane
