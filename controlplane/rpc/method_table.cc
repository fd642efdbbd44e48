#include "controlplane/rpc/method_table.h"

#include <algorithm>
#include <array>
#include <map>

namespace sallyport::controlplane {
namespace {

using enum Who;

constexpr std::array kTable = {
    // Callers and agents.
    MethodRow{.method = "sallyport.access.v1.AccessService/OpenSession",
              .people = kCaller,
              .agents = kAgent},
    MethodRow{.method = "sallyport.access.v1.AccessService/WatchSession", .people = kCaller},
    MethodRow{.method = "sallyport.access.v1.AccessService/RenewSession", .agents = kAgent},
    MethodRow{.method = "sallyport.access.v1.AccessService/EndSession",
              .people = kCaller,
              .agents = kAgent},

    // Documents.
    MethodRow{.method = "sallyport.admin.v1.PolicyService/ApplyDocuments",
              .people = kAdmin,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.PolicyService/GetDocument",
              .people = kAdminOrAuditor,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.PolicyService/ListDocuments",
              .people = kAdminOrAuditor,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.PolicyService/DeleteDocument",
              .people = kAdmin,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.PolicyService/ListDocumentVersions",
              .people = kAdminOrAuditor,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.PolicyService/RollbackDocument",
              .people = kAdmin,
              .admin_socket = kLocalAdmin},

    MethodRow{.method = "sallyport.admin.v1.PolicyService/ExplainPolicy",
              .people = kAdminOrAuditor,
              .admin_socket = kLocalAdmin},
    // They read what was recorded, which who has the machine may not.
    MethodRow{.method = "sallyport.admin.v1.PolicyService/SimulatePolicy",
              .people = kAdminOrAuditor},
    MethodRow{.method = "sallyport.admin.v1.PolicyService/SuggestPolicy",
              .people = kAdminOrAuditor},

    // Approvals. Whom an approval names may read it without any role; nobody decides as the
    // machine.
    MethodRow{.method = "sallyport.admin.v1.ApprovalService/ListApprovals",
              .people = kManager,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.ApprovalService/GetApproval",
              .people = kManager,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.ApprovalService/WatchApprovals",
              .people = kManager,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.ApprovalService/ApproveApproval", .people = kUser},
    MethodRow{.method = "sallyport.admin.v1.ApprovalService/DenyApproval", .people = kUser},
    MethodRow{.method = "sallyport.admin.v1.ApprovalService/RevokeApproval",
              .people = kUser,
              .admin_socket = kLocalAdmin},

    // Sessions. Whom a broken glass has passed by sees those sessions without any role. What was
    // recorded is for auditors alone.
    MethodRow{.method = "sallyport.admin.v1.SessionService/ListSessions",
              .people = kManager,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.SessionService/GetSession",
              .people = kManager,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.SessionService/WatchSession",
              .people = kManager,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.SessionService/EndSession",
              .people = kAdmin,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.SessionService/RevokePrincipal",
              .people = kAdmin,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.SessionService/ReviewSession", .people = kUser},
    MethodRow{.method = "sallyport.admin.v1.SessionService/ReplaySession", .people = kAuditor},
    MethodRow{.method = "sallyport.admin.v1.SessionService/VerifySession",
              .people = kAdminOrAuditor,
              .admin_socket = kLocalAdmin},

    // Notices.
    MethodRow{.method = "sallyport.admin.v1.NoticeService/ListNotices",
              .people = kAdminOrAuditor,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.NoticeService/RetryNotice",
              .people = kAdmin,
              .admin_socket = kLocalAdmin},

    // Calls in doubt.
    MethodRow{.method = "sallyport.admin.v1.CallService/ResolveCall",
              .people = kAdmin,
              .admin_socket = kLocalAdmin},

    // Who one is.
    MethodRow{.method = "sallyport.admin.v1.CallerService/GetCaller",
              .people = kPerson,
              .admin_socket = kLocalAdmin},

    // Identity providers.
    MethodRow{.method = "sallyport.admin.v1.IssuerService/CheckIssuers",
              .people = kAdminOrAuditor,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.IssuerService/ExplainToken",
              .people = kAdminOrAuditor,
              .admin_socket = kLocalAdmin},

    // Agents, as who manages them sees them.
    MethodRow{.method = "sallyport.admin.v1.AgentService/ListAgents",
              .people = kAdminOrAuditor,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.AgentService/ListAgentRecordings",
              .people = kAdminOrAuditor,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.AgentService/CreateJoinToken",
              .people = kAdmin,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.AgentService/BanAgent",
              .people = kAdmin,
              .admin_socket = kLocalAdmin},

    // Tools.
    MethodRow{.method = "sallyport.admin.v1.ToolService/ListTools",
              .people = kAdminOrAuditor,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.ToolService/GetTool",
              .people = kAdminOrAuditor,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.ToolService/AcceptTool",
              .people = kAdmin,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "sallyport.admin.v1.ToolService/ForgetTools",
              .people = kAdmin,
              .admin_socket = kLocalAdmin},

    // Agents themselves. A join secret is judged by the use case.
    MethodRow{.method = "sallyport.agent.v1.EnrollmentService/Enroll", .enrollment = kAnybody},
    MethodRow{.method = "sallyport.agent.v1.EnrollmentService/RenewCertificate", .agents = kAgent},
    MethodRow{.method = "sallyport.agent.v1.SnapshotService/WatchSnapshot", .agents = kAgent},
    MethodRow{.method = "sallyport.agent.v1.SnapshotService/Beat", .agents = kAgent},
    MethodRow{.method = "sallyport.agent.v1.SnapshotService/RefreshKeys", .agents = kAgent},
    MethodRow{.method = "sallyport.agent.v1.CallApprovalService/RequestCallApproval",
              .agents = kAgent},
    MethodRow{.method = "sallyport.agent.v1.CallApprovalService/ReserveCall", .agents = kAgent},
    MethodRow{.method = "sallyport.agent.v1.CallApprovalService/SettleCall", .agents = kAgent},
    MethodRow{.method = "sallyport.agent.v1.CallApprovalService/WithdrawCallApproval",
              .agents = kAgent},
    MethodRow{.method = "sallyport.agent.v1.CallApprovalService/GetCallApproval", .agents = kAgent},
    MethodRow{.method = "sallyport.agent.v1.ToolService/ReportTools", .agents = kAgent},
    MethodRow{.method = "sallyport.agent.v1.RecordingService/StreamRecords", .agents = kAgent},

    // gRPC's own.
    MethodRow{.method = "grpc.health.v1.Health/Check",
              .people = kAnybody,
              .agents = kAnybody,
              .enrollment = kAnybody,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "grpc.health.v1.Health/Watch",
              .people = kAnybody,
              .agents = kAnybody,
              .enrollment = kAnybody,
              .admin_socket = kLocalAdmin},
    MethodRow{.method = "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
              .people = kPerson,
              .admin_socket = kLocalAdmin},
};

const google::protobuf::MethodDescriptor* DescriptorOf(const MethodRow& row) {
  std::string name(row.method);
  std::replace(name.begin(), name.end(), '/', '.');
  return google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(name);
}

}  // namespace

std::string_view DoorName(DoorKind door) {
  switch (door) {
    case DoorKind::kPeople:
      return "people";
    case DoorKind::kAgents:
      return "agents";
    case DoorKind::kEnrollment:
      return "enrollment";
    case DoorKind::kAdminSocket:
      return "admin";
  }
  return "";
}

Who MethodRow::On(DoorKind door) const {
  switch (door) {
    case DoorKind::kPeople:
      return people;
    case DoorKind::kAgents:
      return agents;
    case DoorKind::kEnrollment:
      return enrollment;
    case DoorKind::kAdminSocket:
      return admin_socket;
  }
  return kNobody;
}

bool IsOfGrpc(const MethodRow& row) { return row.method.starts_with("grpc."); }

std::span<const MethodRow> MethodTable() { return kTable; }

const MethodRow* FindMethod(std::string_view path) {
  if (path.starts_with('/')) path.remove_prefix(1);
  const auto row = std::ranges::find(kTable, path, &MethodRow::method);
  return row == kTable.end() ? nullptr : row;
}

const MethodRow* FindMethodTaking(const google::protobuf::Descriptor& request) {
  static const auto* const by_request = [] {
    auto* rows = new std::map<const google::protobuf::Descriptor*, const MethodRow*>;
    for (const MethodRow& row : kTable) {
      // gRPC's own services are not ours to look up.
      if (const auto* method = DescriptorOf(row)) rows->emplace(method->input_type(), &row);
    }
    return rows;
  }();
  const auto found = by_request->find(&request);
  return found == by_request->end() ? nullptr : found->second;
}

}  // namespace sallyport::controlplane
