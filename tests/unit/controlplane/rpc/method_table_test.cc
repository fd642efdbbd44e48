#include "controlplane/rpc/method_table.h"

#include <google/protobuf/descriptor.h>

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "sallyport/access/v1/access_service.pb.h"
#include "sallyport/admin/v1/agent_service.pb.h"
#include "sallyport/admin/v1/approval_service.pb.h"
#include "sallyport/admin/v1/call_service.pb.h"
#include "sallyport/admin/v1/caller_service.pb.h"
#include "sallyport/admin/v1/issuer_service.pb.h"
#include "sallyport/admin/v1/notice_service.pb.h"
#include "sallyport/admin/v1/policy_service.pb.h"
#include "sallyport/admin/v1/session_service.pb.h"
#include "sallyport/admin/v1/tool_service.pb.h"
#include "sallyport/agent/v1/call_approval_service.pb.h"
#include "sallyport/agent/v1/enrollment_service.pb.h"
#include "sallyport/agent/v1/recording_service.pb.h"
#include "sallyport/agent/v1/snapshot_service.pb.h"
#include "sallyport/agent/v1/tool_service.pb.h"

namespace sallyport::controlplane {
namespace {

std::set<const google::protobuf::FileDescriptor*> ServiceFiles() {
  return {access::v1::OpenSessionRequest::descriptor()->file(),
          admin::v1::ListAgentsRequest::descriptor()->file(),
          admin::v1::ListApprovalsRequest::descriptor()->file(),
          admin::v1::ResolveCallRequest::descriptor()->file(),
          admin::v1::GetCallerRequest::descriptor()->file(),
          admin::v1::CheckIssuersRequest::descriptor()->file(),
          admin::v1::ListNoticesRequest::descriptor()->file(),
          admin::v1::ApplyDocumentsRequest::descriptor()->file(),
          admin::v1::ListSessionsRequest::descriptor()->file(),
          admin::v1::ListToolsRequest::descriptor()->file(),
          agent::v1::RequestCallApprovalRequest::descriptor()->file(),
          agent::v1::EnrollRequest::descriptor()->file(),
          agent::v1::StreamRecordsRequest::descriptor()->file(),
          agent::v1::ReportToolsRequest::descriptor()->file(),
          agent::v1::WatchSnapshotRequest::descriptor()->file()};
}

std::set<const google::protobuf::MethodDescriptor*> AllMethods() {
  std::set<const google::protobuf::MethodDescriptor*> methods;
  for (const auto* file : ServiceFiles()) {
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        methods.insert(file->service(s)->method(m));
      }
    }
  }
  return methods;
}

std::string PathOf(const google::protobuf::MethodDescriptor& method) {
  return "/" + method.service()->full_name() + "/" + method.name();
}

TEST_CASE("every method of every service has a row, found by its path and by its request",
          "[rpc][method_table]") {
  REQUIRE(AllMethods().size() == 53);
  for (const auto* method : AllMethods()) {
    INFO(PathOf(*method));
    const MethodRow* row = FindMethod(PathOf(*method));
    REQUIRE(row != nullptr);
    CHECK(FindMethodTaking(*method->input_type()) == row);
    // A row that no door opens would be a method nobody can call.
    CHECK((row->people != Who::kNobody || row->agents != Who::kNobody ||
           row->enrollment != Who::kNobody));
  }
}

TEST_CASE("the table names no method twice and none that does not exist", "[rpc][method_table]") {
  std::set<std::string> known = {"grpc.health.v1.Health/Check", "grpc.health.v1.Health/Watch",
                                 "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"};
  for (const auto* method : AllMethods()) known.insert(PathOf(*method).substr(1));
  std::set<std::string> seen;
  for (const MethodRow& row : MethodTable()) {
    CHECK(known.contains(std::string(row.method)));
    CHECK(seen.insert(std::string(row.method)).second);
  }
  CHECK(seen == known);
}

TEST_CASE("a method without a row is not found", "[rpc][method_table]") {
  CHECK(FindMethod("/sallyport.admin.v1.SessionService/DropSessions") == nullptr);
  CHECK(FindMethod("") == nullptr);
  CHECK(FindMethod("//sallyport.access.v1.AccessService/OpenSession") == nullptr);
  CHECK(FindMethodTaking(*access::v1::OpenSessionResponse::descriptor()) == nullptr);
}

TEST_CASE("only anonymous calls are health, anywhere, and enrollment on its own door",
          "[rpc][method_table]") {
  for (const MethodRow& row : MethodTable()) {
    INFO(row.method);
    const bool is_health = row.method.starts_with("grpc.health.v1.Health/");
    CHECK((row.people == Who::kAnybody) == is_health);
    CHECK((row.agents == Who::kAnybody) == is_health);
    CHECK(row.admin_socket != Who::kAnybody);
    CHECK((row.enrollment == Who::kAnybody) ==
          (is_health || row.method == "sallyport.agent.v1.EnrollmentService/Enroll"));
  }
}

TEST_CASE("each door names only its own kind of caller", "[rpc][method_table]") {
  for (const MethodRow& row : MethodTable()) {
    INFO(row.method);
    CHECK(row.people != Who::kAgent);
    CHECK(row.people != Who::kLocalAdmin);
    CHECK((row.agents == Who::kNobody || row.agents == Who::kAnybody || row.agents == Who::kAgent));
    CHECK((row.admin_socket == Who::kNobody || row.admin_socket == Who::kLocalAdmin));
  }
}

TEST_CASE("the admin socket neither decides, nor replays, nor opens sessions",
          "[rpc][method_table]") {
  for (const char* method : {"sallyport.admin.v1.ApprovalService/ApproveApproval",
                             "sallyport.admin.v1.ApprovalService/DenyApproval",
                             "sallyport.admin.v1.SessionService/ReplaySession",
                             "sallyport.admin.v1.SessionService/ReviewSession",
                             "sallyport.access.v1.AccessService/OpenSession",
                             "sallyport.agent.v1.SnapshotService/WatchSnapshot"}) {
    CHECK(FindMethod(method)->On(DoorKind::kAdminSocket) == Who::kNobody);
  }
}

}  // namespace
}  // namespace sallyport::controlplane
