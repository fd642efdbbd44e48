#pragma once

#include "controlplane/identity/issuers.h"
#include "controlplane/policies/explain_token.h"
#include "controlplane/rpc/roles.h"
#include "controlplane/rpc/rpc_door.h"
#include "sallyport/admin/v1/issuer_service.grpc.pb.h"

namespace sallyport::controlplane {

class IssuerRpc final : public admin::v1::IssuerService::Service {
 public:
  // All of them outlive it.
  struct Needs {
    Issuers& issuers;
    const Roles& roles;
    const controlplane::ExplainToken& explain;
  };
  IssuerRpc(const RpcDoor& door, Needs needs) : door_(door), needs_(needs) {}

  grpc::Status CheckIssuers(grpc::ServerContext* context,
                            const admin::v1::CheckIssuersRequest* request,
                            admin::v1::CheckIssuersResponse* response) override;
  grpc::Status ExplainToken(grpc::ServerContext* context,
                            const admin::v1::ExplainTokenRequest* request,
                            admin::v1::ExplainTokenResponse* response) override;

 private:
  const RpcDoor& door_;
  const Needs needs_;
};

}  // namespace sallyport::controlplane
