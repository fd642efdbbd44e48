#include "controlplane/rpc/policy_service.h"

namespace sallyport::controlplane {

grpc::Status PolicyRpc::ApplyDocuments(grpc::ServerContext* context,
                                       const admin::v1::ApplyDocumentsRequest* request,
                                       admin::v1::ApplyDocumentsResponse* response) {
  return door_.Answer<admin::v1::ApplyDocumentsRequest, admin::v1::ApplyDocumentsResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.apply.Run(caller, r); });
}

grpc::Status PolicyRpc::GetDocument(grpc::ServerContext* context,
                                    const admin::v1::GetDocumentRequest* request,
                                    admin::v1::GetDocumentResponse* response) {
  return door_.Answer<admin::v1::GetDocumentRequest, admin::v1::GetDocumentResponse>(
      *context, *request, response,
      [&](const Caller&, const auto& r) { return needs_.read.Run(r); });
}

grpc::Status PolicyRpc::ListDocuments(grpc::ServerContext* context,
                                      const admin::v1::ListDocumentsRequest* request,
                                      admin::v1::ListDocumentsResponse* response) {
  return door_.Answer<admin::v1::ListDocumentsRequest, admin::v1::ListDocumentsResponse>(
      *context, *request, response,
      [&](const Caller&, const auto& r) { return needs_.read.Run(r); });
}

grpc::Status PolicyRpc::DeleteDocument(grpc::ServerContext* context,
                                       const admin::v1::DeleteDocumentRequest* request,
                                       admin::v1::DeleteDocumentResponse* response) {
  return door_.Answer<admin::v1::DeleteDocumentRequest, admin::v1::DeleteDocumentResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.remove.Run(caller, r); });
}

grpc::Status PolicyRpc::ListDocumentVersions(grpc::ServerContext* context,
                                             const admin::v1::ListDocumentVersionsRequest* request,
                                             admin::v1::ListDocumentVersionsResponse* response) {
  return door_
      .Answer<admin::v1::ListDocumentVersionsRequest, admin::v1::ListDocumentVersionsResponse>(
          *context, *request, response,
          [&](const Caller&, const auto& r) { return needs_.read.Run(r); });
}

grpc::Status PolicyRpc::RollbackDocument(grpc::ServerContext* context,
                                         const admin::v1::RollbackDocumentRequest* request,
                                         admin::v1::RollbackDocumentResponse* response) {
  return door_.Answer<admin::v1::RollbackDocumentRequest, admin::v1::RollbackDocumentResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) { return needs_.rollback.Run(caller, r); });
}

grpc::Status PolicyRpc::ExplainPolicy(grpc::ServerContext* context,
                                      const admin::v1::ExplainPolicyRequest* request,
                                      admin::v1::ExplainPolicyResponse* response) {
  return door_.Answer<admin::v1::ExplainPolicyRequest, admin::v1::ExplainPolicyResponse>(
      *context, *request, response,
      [&](const Caller&, const auto& r) { return needs_.explain.Run(r); });
}

grpc::Status PolicyRpc::SimulatePolicy(
    grpc::ServerContext* context, const admin::v1::SimulatePolicyRequest* request,
    grpc::ServerWriter<admin::v1::SimulatePolicyResponse>* writer) {
  return door_.Pass(*context, *request->GetDescriptor(), [&](const Caller& caller) {
    return needs_.simulate.Run(
        caller, *request,
        [&](const admin::v1::SimulatePolicyResponse& response) { return writer->Write(response); });
  });
}

grpc::Status PolicyRpc::SuggestPolicy(
    grpc::ServerContext* context, const admin::v1::SuggestPolicyRequest* request,
    grpc::ServerWriter<admin::v1::SuggestPolicyResponse>* writer) {
  return door_.Pass(*context, *request->GetDescriptor(), [&](const Caller& caller) {
    return needs_.suggest.Run(
        caller, *request,
        [&](const admin::v1::SuggestPolicyResponse& response) { return writer->Write(response); });
  });
}

}  // namespace sallyport::controlplane
