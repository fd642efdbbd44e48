#pragma once

#include "controlplane/access/enroll_agent.h"
#include "controlplane/rpc/rpc_door.h"
#include "sallyport/agent/v1/enrollment_service.grpc.pb.h"

namespace sallyport::controlplane {

class EnrollmentRpc final : public agent::v1::EnrollmentService::Service {
 public:
  // All of them outlive it.
  struct Needs {
    EnrollAgent& enroll;
  };
  EnrollmentRpc(const RpcDoor& door, Needs needs) : door_(door), needs_(needs) {}

  grpc::Status Enroll(grpc::ServerContext* context, const agent::v1::EnrollRequest* request,
                      agent::v1::EnrollResponse* response) override;
  grpc::Status RenewCertificate(grpc::ServerContext* context,
                                const agent::v1::RenewCertificateRequest* request,
                                agent::v1::RenewCertificateResponse* response) override;

 private:
  const RpcDoor& door_;
  const Needs needs_;
};

}  // namespace sallyport::controlplane
