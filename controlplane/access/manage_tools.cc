#include "controlplane/access/manage_tools.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "controlplane/access/page.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/model/tool.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/known_servers.h"
#include "controlplane/store/locks.h"
#include "controlplane/store/meta.h"
#include "controlplane/store/tools.h"

namespace sallyport::controlplane {
namespace {

constexpr int kMostForgotten = 1000;

using UnlistedTools = std::map<std::string, absl::Time, std::less<>>;

void SayIfUnlisted(const UnlistedTools& unlisted, types::v1::Tool& tool) {
  const auto since = unlisted.find(tool.name());
  if (since != unlisted.end()) *tool.mutable_unlisted_at() = ToProto(since->second);
}

types::v1::Tool WithoutDefinitions(const Tool& tool) {
  types::v1::Tool item = tool.proto();
  item.clear_definition();
  item.clear_changed_definition();
  return item;
}

absl::StatusOr<Tool> FindTool(Transaction& t, const std::string& server, const std::string& name) {
  ASSIGN_OR_RETURN(std::optional<Tool> tool, tools::Find(t, server, name));
  if (!tool) {
    return absl::NotFoundError(absl::StrCat("no agent has seen a tool ", name, " of ", server,
                                            " that policy shows to somebody"));
  }
  return *std::move(tool);
}

}  // namespace

absl::StatusOr<admin::v1::ListToolsResponse> ManageTools::Run(
    const Caller&, const admin::v1::ListToolsRequest& request) {
  if (request.server().empty()) return absl::InvalidArgumentError("server is missing");
  ASSIGN_OR_RETURN(const int limit, PageLimit(request.page_size()));
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(std::vector<Tool> found,
                   tools::List(*t, request.server(), request.page_token(), limit + 1));
  if (found.empty()) {
    ASSIGN_OR_RETURN(const std::vector<std::string> known, known_servers::All(*t));
    const std::string unknown = known_servers::WhyUnknown(known, request.server());
    if (!unknown.empty()) return absl::NotFoundError(unknown);
  }
  admin::v1::ListToolsResponse response;
  if (found.size() > static_cast<size_t>(limit)) {
    found.pop_back();
    response.set_next_page_token(found.back().proto().name());
  }
  ASSIGN_OR_RETURN(const UnlistedTools unlisted, tools::Unlisted(*t, request.server()));
  for (const Tool& tool : found) {
    types::v1::Tool& item = *response.add_items();
    item = WithoutDefinitions(tool);
    SayIfUnlisted(unlisted, item);
  }
  return response;
}

absl::StatusOr<admin::v1::GetToolResponse> ManageTools::Run(
    const Caller&, const admin::v1::GetToolRequest& request) {
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(const Tool tool, FindTool(*t, request.server(), request.name()));
  admin::v1::GetToolResponse response;
  *response.mutable_tool() = tool.proto();
  ASSIGN_OR_RETURN(const UnlistedTools unlisted, tools::Unlisted(*t, request.server()));
  SayIfUnlisted(unlisted, *response.mutable_tool());
  return response;
}

absl::StatusOr<admin::v1::AcceptToolResponse> ManageTools::Run(
    const Caller& caller, const admin::v1::AcceptToolRequest& request) {
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const auto t, control_.Write(WriteFor::kOperators));
  const audit_log::Line line = audit_log::LineOf(
      caller, now, "tool.accept", absl::StrCat("tool/", request.server(), "/", request.name()),
      absl::StrCat(request.definition_hash(), request.unread() ? " unread" : ""));
  RETURN_IF_ERROR(locks::RefuseShutOut(*t, line, caller, now));
  ASSIGN_OR_RETURN(Tool tool, FindTool(*t, request.server(), request.name()));
  const bool was_changed = tool.is_changed();
  RETURN_IF_ERROR(tool.Accept(request.definition_hash(), request.unread(), ActorName(caller), now));
  admin::v1::AcceptToolResponse response;
  *response.mutable_tool() = tool.proto();
  if (!was_changed) return response;
  RETURN_IF_ERROR(tools::Put(*t, tool));
  RETURN_IF_ERROR(audit_log::Append(*t, line));
  RETURN_IF_ERROR(meta::BumpSnapshot(*t));
  RETURN_IF_ERROR(t->Commit());
  return response;
}

absl::StatusOr<admin::v1::ForgetToolsResponse> ManageTools::Run(
    const Caller& caller, const admin::v1::ForgetToolsRequest& request) {
  if (request.server().empty()) return absl::InvalidArgumentError("server is missing");
  if (request.names().empty()) return absl::InvalidArgumentError("names is missing");
  if (request.names_size() > kMostForgotten)
    return absl::InvalidArgumentError("more than 1,000 tools at once");
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const auto t, control_.Write(WriteFor::kOperators));
  admin::v1::ForgetToolsResponse response;
  for (const std::string& name : request.names()) {
    audit_log::Line line = audit_log::LineOf(caller, now, "tool.forget",
                                             absl::StrCat("tool/", request.server(), "/", name));
    RETURN_IF_ERROR(locks::RefuseShutOut(*t, line, caller, now));
    ASSIGN_OR_RETURN(const Tool tool, FindTool(*t, request.server(), name));
    RETURN_IF_ERROR(tool.CheckForgettable());
    line.detail = tool.proto().definition_hash();
    RETURN_IF_ERROR(tools::Delete(*t, tool));
    RETURN_IF_ERROR(audit_log::Append(*t, line));
    *response.add_items() = WithoutDefinitions(tool);
  }
  RETURN_IF_ERROR(meta::BumpSnapshot(*t));
  RETURN_IF_ERROR(t->Commit());
  return response;
}

}  // namespace sallyport::controlplane
