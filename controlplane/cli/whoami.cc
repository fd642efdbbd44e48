#include "controlplane/cli/whoami.h"

#include <cstdio>

#include "absl/strings/str_join.h"
#include "common/json_printer.h"
#include "common/status_macros.h"
#include "controlplane/cli/client_call.h"
#include "controlplane/cli/explain_failure.h"
#include "sallyport/admin/v1/caller_service.grpc.pb.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::CallerService;
using admin::v1::GetCallerResponse;

// What the token is good for, and what is missing for more.
std::string GoodFor(const GetCallerResponse& caller) {
  if (!caller.may_manage()) {
    return "access to servers alone; managing and approving takes a token of an audience in "
           "admin_audiences, or of an id_token entry";
  }
  if (caller.roles().empty()) {
    return "deciding approvals that name you; for more, a group of yours must stand in the control "
           "plane's `roles`";
  }
  return caller.may_access() ? "managing, and access to servers" : "managing";
}

void Show(const GetCallerResponse& caller) {
  auto line = [](std::string_view name, std::string_view value) {
    if (!value.empty()) {
      std::printf("%-12s %s\n", std::string(name).c_str(), Printable(value).c_str());
    }
  };
  line("you are", caller.name());
  line("client", caller.principal().client_id());
  line("issuer", caller.issuer());
  line("groups", caller.has_principal() && caller.principal().groups().empty()
                     ? "none in the token"
                     : absl::StrJoin(caller.principal().groups(), " "));
  line("roles", caller.roles().empty() ? "none" : absl::StrJoin(caller.roles(), " "));
  line("good for", GoodFor(caller));
  line("until", TimeCell(caller.token_expires_at(), caller.has_token_expires_at()));
}

}  // namespace

absl::StatusOr<GetCallerResponse> AskCaller(const ClientOptions& options) {
  ASSIGN_OR_RETURN(const ApiConnection connection, ApiConnection::Open(options));
  auto stub = connection.Stub<CallerService>();
  auto context = connection.Context();
  GetCallerResponse response;
  const grpc::Status status = stub->GetCaller(context.get(), {}, &response);
  if (!status.ok()) return ExplainFailure(status, connection.address());
  return response;
}

void ShowCaller(const GetCallerResponse& caller, std::string_view format) {
  if (format == "table") {
    Show(caller);
  } else {
    PrintMessage(caller, format);
  }
}

void AddWhoAmICommand(CommandLine& line) {
  const ClientOptions& options = line.options();
  line.OnRun(line.app().add_subcommand("whoami", "Says whom the control plane takes you for."),
             [&options] {
               const absl::StatusOr<GetCallerResponse> caller = AskCaller(options);
               if (!caller.ok()) return Fail(caller.status());
               ShowCaller(*caller, options.format);
               return 0;
             });
}

}  // namespace sallyport::controlplane
