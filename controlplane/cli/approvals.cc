#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/json_printer.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/client_call.h"
#include "controlplane/cli/follow_stream.h"
#include "controlplane/cli/principal_text.h"
#include "controlplane/cli/show_approval.h"
#include "sallyport/admin/v1/approval_service.grpc.pb.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::ApprovalService;
using types::v1::Approval;

std::string What(const Approval& approval) {
  return approval.method().empty() ? "(session)"
                                   : absl::StrCat(approval.method(), " ", approval.tool());
}

const std::vector<std::string> kHeadings = {"ID",        "STATE",  "APPROVED",  "SERVER",  "FOR",
                                            "PRINCIPAL", "REASON", "ARGUMENTS", "EXPIRES", "ALARM"};

std::vector<std::string> Row(const Approval& approval) {
  std::string arguments = approval.arguments();
  if (arguments.size() > 60) arguments = absl::StrCat(arguments.substr(0, 60), "...");
  return {approval.id(),
          EnumWord(approval.state()),
          Progress(approval),
          approval.server(),
          What(approval),
          PrincipalText(approval.principal()),
          approval.reason(),
          arguments,
          TimeCell(approval.expires_at(), approval.has_expires_at()),
          approval.notice_alarm().empty() ? "" : "nobody has been told"};
}

void Show(const Approval& approval, std::string_view format) {
  if (format == "table") {
    std::printf("%s", ApprovalText(approval).c_str());
  } else {
    PrintMessage(approval, format);
  }
}

int List(const ClientOptions& options, bool all_states) {
  admin::v1::ListApprovalsRequest request;
  request.set_all_states(all_states);
  return AskAll<ApprovalService, admin::v1::ListApprovalsRequest, admin::v1::ListApprovalsResponse>(
      options, &ApprovalService::Stub::ListApprovals, request, [&](const auto& pages) {
        return ShowList(pages, options.format, all_states ? "approvals" : "pending approvals",
                        Table(kHeadings), Row);
      });
}

std::string WatchText(const Approval& approval, std::string_view format) {
  // One line each, so that a reader knows where one ends.
  if (format == "json") return absl::StrCat(ToJson(approval), "\n");
  if (format == "yaml") return absl::StrCat("---\n", ToYaml(approval));
  std::vector<std::string> row = Row(approval);
  std::erase(row, "");
  return absl::StrCat(Printable(absl::StrJoin(row, "  ")), "\n");
}

// A change may be one that is not shown, and after a restart of the control plane all that is
// pending comes again: each is printed when it reads otherwise than before.
int Watch(const ClientOptions& options) {
  std::map<std::string, std::string> printed;
  const auto take = [&](const admin::v1::WatchApprovalsResponse& response) -> std::optional<int> {
    const Approval& approval = response.approval();
    std::string text = WatchText(approval, options.format);
    std::string& before = printed[approval.id()];
    if (text != before) std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
    before = std::move(text);
    const bool is_open = approval.state() == types::v1::APPROVAL_STATE_PENDING ||
                         approval.state() == types::v1::APPROVAL_STATE_APPROVED;
    if (!is_open) printed.erase(approval.id());
    return std::nullopt;
  };
  return Follow<ApprovalService, admin::v1::WatchApprovalsRequest,
                admin::v1::WatchApprovalsResponse>(options, &ApprovalService::Stub::WatchApprovals,
                                                   {}, {}, take);
}

// What the decision has come to. The approval of a session is used up by opening it: that it is
// `consumed` is not what who decides wants to hear.
std::string Decided(const Approval& approval) {
  if (approval.state() == types::v1::APPROVAL_STATE_CONSUMED && approval.method().empty()) {
    return absl::StrCat("approved; session ", approval.session_id(), " is open");
  }
  if (approval.state() == types::v1::APPROVAL_STATE_APPROVED) {
    return absl::StrCat("approved; ", Printable(What(approval)), " may run once at ",
                        Printable(approval.server()));
  }
  if (approval.state() == types::v1::APPROVAL_STATE_PENDING)
    return absl::StrCat("has ", Progress(approval), " approvals; ", StillNeeded(approval));
  return EnumWord(approval.state());
}

template <class Request, class Response>
int Decide(const ClientOptions& options,
           grpc::Status (ApprovalService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                         Response*),
           const std::string& id, const std::string& reason) {
  Request request;
  request.set_id(id);
  request.set_reason(reason);
  return Ask<ApprovalService>(options, method, request, [&](const Response& response) {
    const Approval& approval = response.approval();
    if (options.format == "table") {
      std::printf("%s %s\n", approval.id().c_str(), Decided(approval).c_str());
    } else {
      PrintMessage(approval, options.format);
    }
    return 0;
  });
}

}  // namespace

void AddApprovalCommands(CommandLine& line) {
  const ClientOptions& options = line.options();
  CLI::App* approvals = line.app().add_subcommand("approvals", "What waits for a person.");
  approvals->require_subcommand(0, 1);
  struct Flags {
    bool all_states = false;
    std::string id;
    std::string reason;
  };
  auto flags = std::make_shared<Flags>();

  CLI::App* list = approvals->add_subcommand("list", "Lists what is pending.");
  list->add_flag("--all", flags->all_states, "decided ones too");
  line.OnRun(list, [&options, flags] { return List(options, flags->all_states); });

  line.OnRun(approvals->add_subcommand("watch", "Prints what is pending, as it comes."),
             [&options] { return Watch(options); });

  CLI::App* show = approvals->add_subcommand("show", "Shows one, with all its arguments.");
  show->add_option("ID", flags->id)->required();
  line.OnRun(show, [&options, flags] {
    admin::v1::GetApprovalRequest request;
    request.set_id(flags->id);
    return Ask<ApprovalService>(options, &ApprovalService::Stub::GetApproval, request,
                                [&](const admin::v1::GetApprovalResponse& response) {
                                  Show(response.approval(), options.format);
                                  return 0;
                                });
  });

  CLI::App* approve =
      approvals->add_subcommand("approve", "Approves one, as who you logged in as.");
  approve->add_option("ID", flags->id)->required();
  approve->add_option("--reason", flags->reason, "why");
  line.OnRun(approve, [&options, flags] {
    return Decide(options, &ApprovalService::Stub::ApproveApproval, flags->id, flags->reason);
  });

  CLI::App* deny = approvals->add_subcommand("deny", "Denies one, as who you logged in as.");
  deny->add_option("ID", flags->id)->required();
  deny->add_option("--reason", flags->reason, "why; the requester reads it")->required();
  line.OnRun(deny, [&options, flags] {
    return Decide(options, &ApprovalService::Stub::DenyApproval, flags->id, flags->reason);
  });

  CLI::App* revoke =
      approvals->add_subcommand("revoke", "Takes a granted one back before it is used.");
  revoke->add_option("ID", flags->id)->required();
  revoke->add_option("--reason", flags->reason, "why");
  line.OnRun(revoke, [&options, flags] {
    return Decide(options, &ApprovalService::Stub::RevokeApproval, flags->id, flags->reason);
  });
}

}  // namespace sallyport::controlplane
