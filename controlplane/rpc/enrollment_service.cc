#include "controlplane/rpc/enrollment_service.h"

namespace sallyport::controlplane {

grpc::Status EnrollmentRpc::Enroll(grpc::ServerContext* context,
                                   const agent::v1::EnrollRequest* request,
                                   agent::v1::EnrollResponse* response) {
  return door_.Answer<agent::v1::EnrollRequest, agent::v1::EnrollResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.enroll.Run(caller.address(), r); });
}

grpc::Status EnrollmentRpc::RenewCertificate(grpc::ServerContext* context,
                                             const agent::v1::RenewCertificateRequest* request,
                                             agent::v1::RenewCertificateResponse* response) {
  return door_.Answer<agent::v1::RenewCertificateRequest, agent::v1::RenewCertificateResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.enroll.Run(caller, r); });
}

}  // namespace sallyport::controlplane
