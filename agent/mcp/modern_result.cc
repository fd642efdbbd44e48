#include "agent/mcp/modern_result.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/mcp/dialect.h"
#include "agent/mcp/json_index.h"
#include "agent/mcp/json_scan.h"
#include "agent/mcp/json_splice.h"
#include "common/denial.h"
#include "common/json_string.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

absl::Status Invalid(std::string_view what) {
  return Denied(types::v1::DENIAL_REASON_UPSTREAM_INVALID, what);
}

constexpr std::size_t kMaxTaskIdBytes = 1024;
constexpr char kOurTasks[] = R"("io.modelcontextprotocol/tasks":{})";

// A reader that ignores case would find another request than we judge.
bool HasTwin(const JsonIndex& index, const JsonNode& request) {
  for (const JsonNode& member : index.Children(request)) {
    for (const std::string_view name : {"method", "params"}) {
      if (member.key != name && absl::EqualsIgnoreCase(ToAbsl(member.key), ToAbsl(name))) {
        return true;
      }
    }
  }
  return false;
}

// The object of a server's input requests. Null: it asks for nothing.
absl::Status CheckInputRequests(const JsonIndex& index, const JsonNode* requests,
                                absl::FunctionRef<bool(ServerRequestKind)> may_be_asked,
                                const ClientCapabilities& declared) {
  if (requests == nullptr) return absl::OkStatus();
  if (!requests->is_object()) return Invalid("inputRequests is not an object");
  ClientCapabilities missing;
  for (const JsonNode& request : index.Children(*requests)) {
    const JsonNode* name = index.Member(&request, "method");
    const ServerMethod* method =
        name == nullptr || !name->is_string() ? nullptr : FindServerMethod(name->text);
    if (method == nullptr || method->is_notification || PolicyWord(method->request).empty()) {
      return Invalid("an input request is none that the protocol has");
    }
    if (HasTwin(index, request)) return Invalid("an input request has a member in two spellings");
    if (!may_be_asked(method->request)) return NotAllowed(method->request);
    const auto needs = NeedsOf(*method, index, index.Member(&request, "params"));
    if (!needs) return Invalid("an input request asks in a way that the protocol does not have");
    missing.Add(Missing(*needs, declared));
  }
  return missing.empty() ? absl::OkStatus() : NotDeclared(missing);
}

bool AllowAll(ServerRequestKind) { return true; }
constexpr ClientCapabilities kAll{.sampling = true,
                                  .sampling_tools = true,
                                  .form = true,
                                  .url = true,
                                  .roots = true,
                                  .tasks = true};

absl::Status CheckNews(const UpstreamMessage& notification,
                       absl::FunctionRef<bool(ServerRequestKind)> may_be_asked,
                       const ClientCapabilities& declared) {
  JsonIndex index;
  if (index.Parse(notification.bytes, JsonLimits{.max_bytes = notification.bytes.size()}) !=
      JsonError::kNone) {
    return Invalid("the notification is not clean JSON");
  }
  return CheckInputRequests(index,
                            index.Member(index.Member(&index.root(), "params"), "inputRequests"),
                            may_be_asked, declared);
}

std::vector<std::string> AskedIn(const JsonIndex& index, const JsonNode* asking) {
  std::vector<std::string> asked;
  if (const JsonNode* requests = index.Member(asking, "inputRequests")) {
    for (const JsonNode& request : index.Children(*requests)) asked.emplace_back(request.key);
  }
  return asked;
}

class Narrower {
 public:
  Narrower(const JsonIndex& index, Splicer& splicer, const ModernResultTerms& terms)
      : index_(index), splicer_(splicer), terms_(terms) {}

  // What may be kept of a result, by whom and for how long.
  void NarrowCaching(const JsonNode& member) {
    if (member.key == "cacheScope" && member.text != "private") {
      splicer_.Replace(member.begin, member.end, R"("private")");
    }
    double ttl = 0;
    const bool is_too_long = member.key == "ttlMs" && member.type == JsonType::kNumber &&
                             (!absl::SimpleAtod(ToAbsl(index_.Raw(member)), &ttl) ||
                              ttl > static_cast<double>(terms_.max_ttl_ms));
    if (is_too_long) splicer_.Replace(member.begin, member.end, absl::StrCat(terms_.max_ttl_ms));
  }

  void NarrowDiscovery(const JsonNode& member) {
    if (member.key == "supportedVersions" && member.is_array()) {
      CutChildren(splicer_, index_, member, [](const JsonNode& version) {
        return !IsModernVersion(version.text) && !IsServedVersion(version.text);
      });
    } else if (member.key == "capabilities" && member.is_object()) {
      OfferExtensions(member);
      CutChildren(splicer_, index_, member, [&](const JsonNode& declared) {
        if (IsTaken(declared)) return true;
        NarrowDeclared(declared);
        return false;
      });
    }
  }

  // Where the server has no extensions at all, ours stand before all that it has.
  void OfferExtensions(const JsonNode& capabilities) {
    const JsonNode* extensions = index_.Member(&capabilities, "extensions");
    if (!terms_.server.makes_tasks || (extensions != nullptr && extensions->is_object())) return;
    bool has_others = false;
    for (const JsonNode& declared : index_.Children(capabilities)) {
      has_others |= !IsTaken(declared);
    }
    splicer_.Replace(capabilities.begin + 1, capabilities.begin + 1,
                     absl::StrCat(R"("extensions":{)", kOurTasks, has_others ? "}," : "}"));
  }

  // Extensions that are no object mean nothing, and would stand in the place of ours.
  bool IsTaken(const JsonNode& declared) const {
    return IsTakenFromServer(declared.key, terms_.server) ||
           (declared.key == "extensions" && !declared.is_object() && terms_.server.makes_tasks);
  }

  void NarrowDeclared(const JsonNode& declared) {
    if (!declared.is_object()) return;
    if (declared.key == "extensions" && terms_.server.makes_tasks &&
        index_.Member(&declared, kTaskExtension) == nullptr) {
      const bool is_empty = declared.next == index_.IndexOf(declared) + 1;
      splicer_.Replace(declared.begin + 1, declared.begin + 1,
                       absl::StrCat(kOurTasks, is_empty ? "" : ","));
    }
    CutChildren(splicer_, index_, declared, [&](const JsonNode& member) {
      return (declared.key == "extensions" && member.key == kTaskExtension &&
              !terms_.server.task_extension && !terms_.server.makes_tasks) ||
             (declared.key == "resources" && member.key == "subscribe" &&
              !terms_.server.subscriptions);
    });
  }

  void SealState(const JsonNode& result) {
    std::vector<std::string> asked = AskedIn(index_, &result);
    if (const JsonNode* state = index_.Member(&result, "requestState")) {
      splicer_.Replace(state->begin, state->end,
                       JsonString(terms_.seal(index_.Raw(*state), std::move(asked))));
    } else {
      // At the end: the result has at least its resultType before it.
      splicer_.Replace(
          result.end - 1, result.end - 1,
          absl::StrCat(",\"requestState\":", JsonString(terms_.seal({}, std::move(asked)))));
    }
  }

  // A result that asks its client for nothing.
  void NarrowComplete(const JsonNode& result, bool is_of_task, bool is_discovery) {
    CutChildren(splicer_, index_, result, [&](const JsonNode& member) {
      if (member.key == "requestState" || (member.key == "inputRequests" && !is_of_task)) {
        return true;
      }
      NarrowCaching(member);
      if (is_discovery) NarrowDiscovery(member);
      return false;
    });
  }

 private:
  const JsonIndex& index_;
  Splicer& splicer_;
  const ModernResultTerms& terms_;
};

}  // namespace

bool MayAskForInput(std::string_view method) {
  return method == "tools/call" || method == "prompts/get" || method == "resources/read";
}

absl::StatusOr<ModernResult> NarrowModernResult(UpstreamMessage response,
                                                const ClientMessage& request,
                                                const ModernResultTerms& terms) {
  ModernResult narrowed{.message = std::move(response)};
  UpstreamMessage& message = narrowed.message;
  if (message.is_error) return narrowed;
  JsonIndex index;
  if (index.Parse(message.bytes, JsonLimits{.max_bytes = message.bytes.size()}) !=
      JsonError::kNone) {
    return Invalid("the result is not clean JSON");
  }
  const JsonNode* result = index.Member(&index.root(), "result");
  if (result == nullptr) return Invalid("the response has no result");
  const JsonNode* type = index.Member(result, "resultType");
  Splicer splicer(message.bytes);
  Narrower narrower(index, splicer, terms);
  const bool is_input_required = type != nullptr && type->text == "input_required";
  // A task asks in what tells of it.
  const bool is_of_task =
      (type != nullptr && type->text == "task") || request.method.starts_with("tasks/");
  if (is_input_required || is_of_task) {
    RETURN_IF_ERROR(CheckInputRequests(index, index.Member(result, "inputRequests"),
                                       terms.may_be_asked, DeclaredBy(request)));
  }
  if (is_input_required) {
    if (!MayAskForInput(request.method)) return Invalid("this method cannot ask for input");
    const JsonNode* state = index.Member(result, "requestState");
    if (state != nullptr && !state->is_string()) return Invalid("requestState is not a string");
    narrowed.is_input_required = true;
    narrower.SealState(*result);
  } else {
    narrower.NarrowComplete(*result, is_of_task, request.method == "server/discover");
    if (is_of_task) narrowed.asked = AskedIn(index, result);
    if (type != nullptr && type->text == "task") {
      if (!terms.may_be_task) {
        return Invalid("the server answers with a task, which this client does not take");
      }
      const JsonNode* task = index.Member(result, "taskId");
      if (task == nullptr || task->text.empty() || task->text.size() > kMaxTaskIdBytes) {
        return Invalid("the server's task has no proper id");
      }
      narrowed.task_id = std::string(task->text);
    }
    const JsonNode* status = index.Member(result, "status");
    narrowed.is_task_over =
        request.method == "tasks/get" && status != nullptr &&
        (status->text == "completed" || status->text == "failed" || status->text == "cancelled");
  }
  if (!splicer.is_changed()) return narrowed;
  ASSIGN_OR_RETURN(message, ScanAgain(splicer.Finish(), message));
  return narrowed;
}

absl::Status CheckTaskNews(const UpstreamMessage& notification,
                           absl::FunctionRef<bool(ServerRequestKind)> may_be_asked) {
  return CheckNews(notification, may_be_asked, kAll);
}

absl::Status CheckDeclaredForNews(const UpstreamMessage& notification,
                                  const ClientCapabilities& declared) {
  return CheckNews(notification, AllowAll, declared);
}

absl::Status CheckDeclaredForInputs(std::string_view input_requests,
                                    const ClientCapabilities& declared) {
  JsonIndex index;
  if (index.Parse(input_requests, JsonLimits{.max_bytes = input_requests.size()}) !=
      JsonError::kNone) {
    return Invalid("inputRequests is not clean JSON");
  }
  return CheckInputRequests(index, &index.root(), AllowAll, declared);
}

std::vector<std::string> AskedInTaskNews(const UpstreamMessage& notification) {
  JsonIndex index;
  if (notification.method != "notifications/tasks" ||
      index.Parse(notification.bytes, JsonLimits{.max_bytes = notification.bytes.size()}) !=
          JsonError::kNone) {
    return {};
  }
  return AskedIn(index, index.Member(&index.root(), "params"));
}

}  // namespace sallyport::agent
