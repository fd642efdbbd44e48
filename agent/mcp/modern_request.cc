#include "agent/mcp/modern_request.h"

#include <utility>

#include "agent/mcp/json_index.h"
#include "agent/mcp/json_scan.h"
#include "agent/mcp/json_splice.h"
#include "common/denial.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

std::string TextAt(const ClientMessage& message, Span at) {
  return message.bytes.substr(at.begin, at.size());
}

}  // namespace

absl::StatusOr<ClientMessage> NarrowModernRequest(ClientMessage request,
                                                  const ModernRequestTerms& terms) {
  const ModernEnvelope& modern = request.modern;
  const bool may_change = !terms.client.allows_all() || terms.request_state.has_value() ||
                          !modern.resource_subscriptions.empty() || !modern.listened_tasks.empty();
  if (!may_change || request.params.empty()) return request;
  JsonIndex index;
  if (index.Parse(request.bytes, JsonLimits{.max_bytes = request.bytes.size()}) !=
      JsonError::kNone) {
    return Denied(types::v1::DENIAL_REASON_MESSAGE_INVALID, "not a clean message");
  }
  Splicer splicer(request.bytes);
  const auto stands_at = [](const JsonNode& node, Span span) {
    return node.begin == span.begin && node.end == span.end;
  };
  // The edits inside a member fall between those of its siblings, as they must.
  const auto narrow_meta = [&](const JsonNode& member) {
    if (stands_at(member, modern.capabilities)) {
      CutChildren(splicer, index, member, [&](const JsonNode& declared) {
        if (declared.key == "extensions" && declared.is_object() && !terms.client.task_extension) {
          CutChildren(splicer, index, declared,
                      [](const JsonNode& extension) { return extension.key == kTaskExtension; });
        }
        return IsTakenFromClient(declared.key, terms.client);
      });
    }
    return false;
  };
  const auto keep_only = [&](const JsonNode& list,
                             absl::FunctionRef<bool(std::string_view)> stays) {
    CutChildren(splicer, index, list,
                [&](const JsonNode& one) { return !one.is_string() || !stays(one.text); });
  };
  const auto narrow_notifications = [&](const JsonNode& member) {
    if (stands_at(member, modern.resource_subscriptions)) keep_only(member, terms.may_hear_of);
    if (stands_at(member, modern.listened_tasks)) keep_only(member, terms.has_task);
    return false;
  };
  CutChildren(splicer, index, *index.Member(&index.root(), "params"), [&](const JsonNode& member) {
    if (member.key == "_meta") CutChildren(splicer, index, member, narrow_meta);
    if (member.key == "notifications") CutChildren(splicer, index, member, narrow_notifications);
    if (terms.request_state && stands_at(member, modern.request_state)) {
      if (terms.request_state->empty()) return true;
      splicer.Replace(member.begin, member.end, *terms.request_state);
    }
    return false;
  });
  if (!splicer.is_changed()) return request;
  std::string bytes = splicer.Finish();
  const ScanLimits limits{.max_bytes = bytes.size()};
  ASSIGN_OR_RETURN(ClientMessage narrowed, ScanClientMessage(std::move(bytes), limits));
  std::string declared = modern.declared_capabilities.empty() ? TextAt(request, modern.capabilities)
                                                              : modern.declared_capabilities.text();
  if (declared != TextAt(narrowed, narrowed.modern.capabilities))
    narrowed.modern.declared_capabilities = std::move(declared);
  return narrowed;
}

bool AnswersOnly(const ClientMessage& request,
                 absl::FunctionRef<bool(std::string_view key)> was_asked) {
  const Span at = request.modern.input_responses;
  if (at.empty()) return true;
  const std::string_view json = std::string_view(request.bytes).substr(at.begin, at.size());
  JsonIndex index;
  if (index.Parse(json, JsonLimits{.max_bytes = json.size()}) != JsonError::kNone) return false;
  for (const JsonNode& answer : index.Children(index.root())) {
    if (!was_asked(answer.key)) return false;
  }
  return true;
}

}  // namespace sallyport::agent
