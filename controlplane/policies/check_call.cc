#include "controlplane/policies/check_call.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/nearest_words.h"
#include "common/policy/clear_arguments.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/store/known_servers.h"
#include "controlplane/store/tools.h"

namespace sallyport::controlplane {
namespace {

using Words = std::vector<std::string>;

constexpr int kMostTools = 1000;

// Of every version of the protocol that an agent speaks; a client's.
const Words& Methods() {
  static const Words methods = {"completion/complete",
                                "initialize",
                                "logging/setLevel",
                                "notifications/cancelled",
                                "notifications/initialized",
                                "notifications/progress",
                                "notifications/roots/list_changed",
                                "ping",
                                "prompts/get",
                                "prompts/list",
                                "resources/list",
                                "resources/read",
                                "resources/subscribe",
                                "resources/templates/list",
                                "resources/unsubscribe",
                                "server/discover",
                                "subscriptions/listen",
                                "tasks/cancel",
                                "tasks/get",
                                "tasks/list",
                                "tasks/result",
                                "tasks/update",
                                "tools/call",
                                "tools/list"};
  return methods;
}

absl::Status CheckServerRequest(const types::v1::PolicyTestCall& call) {
  const std::string& word = call.server_request();
  if (word.empty()) return absl::OkStatus();
  if (!call.tool().empty() || !call.resource().empty() || !call.prompt().empty() ||
      !call.method().empty()) {
    return absl::InvalidArgumentError("call.server_request stands alone");
  }
  const Words words = {"sampling", "elicitation", "roots"};
  if (std::ranges::find(words, word) != words.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("call.server_request: a server cannot ask for \"", word, "\": expected one of ",
                   absl::StrJoin(words, ", "), DidYouMean(word, words)));
}

// A method that names something, and what it names.
absl::Status CheckTarget(const types::v1::PolicyTestCall& call) {
  const std::string& method = call.method();
  const bool has_resource = !call.resource().empty();
  std::string needed;
  if (method == "tools/call" && call.tool().empty()) needed = "tool";
  if (method == "prompts/get" && call.prompt().empty()) needed = "prompt";
  if ((method == "resources/read" || method == "resources/subscribe" ||
       method == "resources/unsubscribe") &&
      !has_resource) {
    needed = "resource";
  }
  if (method == "completion/complete" && !has_resource && call.prompt().empty()) {
    needed = "prompt or the resource";
  }
  if (needed.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("call.method: ", method, " needs the ", needed,
                                                 " that it is about, and none is given"));
}

absl::StatusOr<std::string> ToolWarning(Transaction& t, const types::v1::PolicyTestCall& call) {
  ASSIGN_OR_RETURN(const std::vector<Tool> tools, tools::List(t, call.server(), "", kMostTools));
  // Nothing was listed yet, or so much that what is missing says nothing.
  if (tools.empty() || tools.size() == kMostTools) return std::string();
  Words names;
  for (const Tool& tool : tools) names.push_back(tool.proto().name());
  if (std::ranges::find(names, call.tool()) != names.end()) return std::string();
  return absl::StrCat("no agent has seen a tool ", call.tool(), " of ", call.server(),
                      " that policy shows to somebody", DidYouMean(call.tool(), names));
}

}  // namespace

absl::Status CheckCall(const types::v1::PolicyTestCall& call) {
  if (call.server().empty()) return absl::InvalidArgumentError("call.server is missing");
  const int targets = !call.tool().empty() + !call.resource().empty() + !call.prompt().empty();
  if (targets > 1) {
    return absl::InvalidArgumentError("call takes one of tool, resource and prompt");
  }
  RETURN_IF_ERROR(CheckServerRequest(call));
  RETURN_IF_ERROR(CheckTarget(call));
  if (!call.arguments_json().empty()) {
    const std::string_view why = WhyNotClear(call.arguments_json());
    if (!why.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("no agent takes the arguments (message_invalid): ", ToAbsl(why)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> CallWarnings(Transaction& t,
                                                      const types::v1::PolicyTestCall& call) {
  Words warnings;
  ASSIGN_OR_RETURN(const Words servers, known_servers::All(t));
  warnings.push_back(known_servers::WhyUnknown(servers, call.server()));
  if (!call.tool().empty()) {
    ASSIGN_OR_RETURN(warnings.emplace_back(), ToolWarning(t, call));
  }
  const Words& methods = Methods();
  if (!call.method().empty() && std::ranges::find(methods, call.method()) == methods.end()) {
    warnings.push_back(absl::StrCat("MCP has no method ", call.method(), " of a client",
                                    DidYouMean(call.method(), methods)));
  }
  std::erase(warnings, "");
  return warnings;
}

}  // namespace sallyport::controlplane
