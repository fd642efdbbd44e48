#pragma once

#include "controlplane/policies/apply_policy.h"
#include "controlplane/policies/delete_document.h"
#include "controlplane/policies/explain_policy.h"
#include "controlplane/policies/read_documents.h"
#include "controlplane/policies/rollback_document.h"
#include "controlplane/policies/simulate_policy.h"
#include "controlplane/policies/suggest_policy.h"
#include "controlplane/rpc/rpc_door.h"
#include "sallyport/admin/v1/policy_service.grpc.pb.h"

namespace sallyport::controlplane {

class PolicyRpc final : public admin::v1::PolicyService::Service {
 public:
  // All of them outlive it.
  struct Needs {
    ApplyPolicy& apply;
    const ReadDocuments& read;
    controlplane::DeleteDocument& remove;
    controlplane::RollbackDocument& rollback;
    const controlplane::ExplainPolicy& explain;
    const controlplane::SimulatePolicy& simulate;
    const controlplane::SuggestPolicy& suggest;
  };
  PolicyRpc(const RpcDoor& door, Needs needs) : door_(door), needs_(needs) {}

  grpc::Status ApplyDocuments(grpc::ServerContext* context,
                              const admin::v1::ApplyDocumentsRequest* request,
                              admin::v1::ApplyDocumentsResponse* response) override;
  grpc::Status GetDocument(grpc::ServerContext* context,
                           const admin::v1::GetDocumentRequest* request,
                           admin::v1::GetDocumentResponse* response) override;
  grpc::Status ListDocuments(grpc::ServerContext* context,
                             const admin::v1::ListDocumentsRequest* request,
                             admin::v1::ListDocumentsResponse* response) override;
  grpc::Status DeleteDocument(grpc::ServerContext* context,
                              const admin::v1::DeleteDocumentRequest* request,
                              admin::v1::DeleteDocumentResponse* response) override;
  grpc::Status ListDocumentVersions(grpc::ServerContext* context,
                                    const admin::v1::ListDocumentVersionsRequest* request,
                                    admin::v1::ListDocumentVersionsResponse* response) override;
  grpc::Status RollbackDocument(grpc::ServerContext* context,
                                const admin::v1::RollbackDocumentRequest* request,
                                admin::v1::RollbackDocumentResponse* response) override;
  grpc::Status ExplainPolicy(grpc::ServerContext* context,
                             const admin::v1::ExplainPolicyRequest* request,
                             admin::v1::ExplainPolicyResponse* response) override;
  grpc::Status SimulatePolicy(
      grpc::ServerContext* context, const admin::v1::SimulatePolicyRequest* request,
      grpc::ServerWriter<admin::v1::SimulatePolicyResponse>* writer) override;
  grpc::Status SuggestPolicy(grpc::ServerContext* context,
                             const admin::v1::SuggestPolicyRequest* request,
                             grpc::ServerWriter<admin::v1::SuggestPolicyResponse>* writer) override;

 private:
  const RpcDoor& door_;
  const Needs needs_;
};

}  // namespace sallyport::controlplane
