#include "agent/mcp/list_page.h"

#include <string_view>

#include "agent/mcp/json_index.h"
#include "common/json_string.h"

namespace sallyport::agent {
namespace {

std::string Cursor(const std::string& bytes, Span object, std::string_view name) {
  JsonIndex index;
  const std::string_view json = std::string_view(bytes).substr(object.begin, object.size());
  if (index.Parse(json, JsonLimits{.max_bytes = json.size()}) != JsonError::kNone) return {};
  const JsonNode* cursor = index.Member(&index.root(), name);
  return cursor != nullptr && cursor->is_string() ? JsonString(cursor->text) : std::string();
}

}  // namespace

ListPage PageOf(const ClientMessage& request, const UpstreamMessage& result) {
  return {.cursor = Cursor(request.bytes, request.params, "cursor"),
          .next_cursor = Cursor(result.bytes, result.body, "nextCursor")};
}

}  // namespace sallyport::agent
