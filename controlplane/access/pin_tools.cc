#include "controlplane/access/pin_tools.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/tool_limits.h"
#include "controlplane/model/tool.h"
#include "controlplane/store/agents.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/meta.h"
#include "controlplane/store/tools.h"

namespace sallyport::controlplane {
namespace {

constexpr int kMaxReported = 1000;
// Of what its agent is bound by, not its server.
absl::Status CheckRequest(const agent::v1::ReportToolsRequest& request) {
  if (request.tools_size() > kMaxReported) {
    return absl::InvalidArgumentError("more than 1,000 tools in one report");
  }
  for (const agent::v1::SeenTool& seen : request.tools()) {
    const std::string& hash = seen.definition_hash();
    if (hash.size() != 64 || hash.find_first_not_of("0123456789abcdef") != std::string::npos) {
      return absl::InvalidArgumentError("definition_hash is not 64 hex digits");
    }
    if (seen.definition().size() > kMaxDefinitionBytes) {
      return absl::InvalidArgumentError("a definition is longer than 256 KiB");
    }
  }
  if (request.list().unlisted_size() > static_cast<int>(kMaxToolsOfServer))
    return absl::InvalidArgumentError("more than 4,096 unlisted tools in one report");
  return absl::OkStatus();
}

absl::StatusOr<std::string> AgentFronting(Transaction& t, const Caller& caller,
                                          const std::string& server) {
  if (caller.agent() == nullptr) {
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "definitions of tools are for agents");
  }
  ASSIGN_OR_RETURN(const std::optional<Agent> agent, agents::Find(t, caller.agent()->name));
  if (!agent || !agent->Fronts(server)) {
    return Denied(types::v1::DENIAL_REASON_SERVER_UNKNOWN,
                  absl::StrCat("the agent does not front ", server));
  }
  return agent->name;
}

// What is new of one tool, as its audit line calls it; empty: nothing. Without the tool: it cannot
// be pinned.
struct News {
  std::optional<Tool> tool;
  std::string action;
};

absl::StatusOr<News> Learn(Transaction& t, const std::string& server,
                           const agent::v1::SeenTool& seen, const std::string& agent,
                           absl::Time now) {
  if (!CanBePinned(seen.name())) return News{};
  ASSIGN_OR_RETURN(std::optional<Tool> tool, tools::Find(t, server, seen.name()));
  if (tool) {
    if (!tool->See(seen, agent, now)) return News{std::move(tool), ""};
    const bool is_changed = tool->is_changed();
    return News{std::move(tool), is_changed ? "tool.change" : "tool.return"};
  }
  ASSIGN_OR_RETURN(const int64_t known, tools::Count(t, server));
  if (known >= static_cast<int64_t>(kMaxToolsOfServer)) return News{};
  return News{Tool::Pinned(server, seen, agent, now), "tool.pin"};
}

}  // namespace

absl::StatusOr<agent::v1::ReportToolsResponse> PinTools::Run(
    const Caller& caller, const agent::v1::ReportToolsRequest& request) {
  RETURN_IF_ERROR(CheckRequest(request));
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const auto t, control_.Write());
  ASSIGN_OR_RETURN(const std::string agent, AgentFronting(*t, caller, request.server()));
  agent::v1::ReportToolsResponse response;
  bool is_anything_new = false;
  int not_pinned = 0;
  for (const agent::v1::SeenTool& seen : request.tools()) {
    ASSIGN_OR_RETURN(const News news, Learn(*t, request.server(), seen, agent, now));
    if (!news.tool) {
      ++not_pinned;
      continue;
    }
    *response.add_pins() = news.tool->pin();
    if (news.action.empty()) continue;
    is_anything_new = true;
    RETURN_IF_ERROR(tools::Put(*t, *news.tool));
    RETURN_IF_ERROR(audit_log::Append(
        *t, audit_log::LineOf(caller, now, news.action,
                              absl::StrCat("tool/", request.server(), "/", seen.name()),
                              seen.definition_hash())));
    if (news.action == "tool.change") {
      t->AfterCommit([server = request.server(), tool = seen.name(), agent] {
        LogWarning("tool_changed", {{"server", server}, {"tool", tool}, {"agent", agent}});
      });
    }
  }
  if (not_pinned > 0) {
    LogWarning("tools_not_pinned",
               {{"server", request.server()}, {"agent", agent}, {"tools", not_pinned}});
  }
  bool is_list_new = false;
  if (request.has_list()) {
    const std::vector<std::string> unlisted(request.list().unlisted().begin(),
                                            request.list().unlisted().end());
    ASSIGN_OR_RETURN(is_list_new, tools::PutList(*t, request.server(), agent, unlisted, now));
  }
  if (is_anything_new) RETURN_IF_ERROR(meta::BumpSnapshot(*t));
  if (is_anything_new || is_list_new) RETURN_IF_ERROR(t->Commit());
  return response;
}

}  // namespace sallyport::controlplane
