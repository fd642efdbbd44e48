#include "agent/mcp/list_filter.h"

#include <utility>

#include "agent/mcp/json_index.h"
#include "agent/mcp/json_scan.h"
#include "agent/mcp/json_splice.h"
#include "common/denial.h"
#include "sallyport/types/v1/denial.pb.h"

namespace sallyport::agent {
namespace {

struct ListNames {
  std::string_view list;
  std::string_view entry;
};

ListNames NamesOf(ListKind kind) {
  switch (kind) {
    case ListKind::kTools:
      return {"tools", "name"};
    case ListKind::kResources:
      return {"resources", "uri"};
    case ListKind::kResourceTemplates:
      return {"resourceTemplates", "uriTemplate"};
    case ListKind::kPrompts:
      return {"prompts", "name"};
    case ListKind::kTasks:
      return {"tasks", "taskId"};
    case ListKind::kNone:
      break;
  }
  return {};
}

absl::Status Invalid(std::string_view what) {
  return Denied(types::v1::DenialReason::DENIAL_REASON_UPSTREAM_INVALID, what);
}

}  // namespace

absl::StatusOr<UpstreamMessage> FilterList(
    UpstreamMessage response, ListKind kind,
    absl::FunctionRef<bool(std::string_view, std::string_view)> is_allowed) {
  if (response.is_error || kind == ListKind::kNone) return response;
  const ListNames names = NamesOf(kind);
  JsonIndex index;
  if (index.Parse(response.bytes, JsonLimits{.max_bytes = response.bytes.size()}) !=
      JsonError::kNone) {
    return Invalid("the list is not clean JSON");
  }
  const JsonNode* list = index.Member(index.Member(&index.root(), "result"), names.list);
  if (list == nullptr || !list->is_array()) return Invalid("the result has no list");
  Splicer splicer(response.bytes);
  CutChildren(splicer, index, *list, [&](const JsonNode& entry) {
    const JsonNode* name = index.Member(&entry, names.entry);
    return name == nullptr || !name->is_string() || !is_allowed(name->text, index.Raw(entry));
  });
  if (!splicer.is_changed()) return response;
  return ScanAgain(splicer.Finish(), response);
}

}  // namespace sallyport::agent
