#include "agent/mcp/listen_notice.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/mcp/json_index.h"
#include "agent/mcp/json_scan.h"
#include "agent/mcp/json_splice.h"
#include "common/json_string.h"

namespace sallyport::agent {

UpstreamMessage TellLeftOut(UpstreamMessage message, std::string_view why) {
  if (message.method != "notifications/subscriptions/acknowledged") return message;
  JsonIndex index;
  if (index.Parse(message.bytes, JsonLimits{.max_bytes = message.bytes.size()}) !=
      JsonError::kNone) {
    return message;
  }
  const JsonNode* meta = index.Member(index.Member(&index.root(), "params"), "_meta");
  if (meta == nullptr || !meta->is_object()) return message;
  const auto [first, last] = index.Children(*meta);
  const bool is_empty = !(first != last);
  Splicer splicer(message.bytes);
  splicer.Replace(meta->begin + 1, meta->begin + 1,
                  absl::StrCat(R"("sallyport/leftOut":{"reason":"policy_denied","message":)",
                               JsonString(why), is_empty ? "}" : "},"));
  std::string bytes = splicer.Finish();
  const std::size_t size = bytes.size();
  auto told = ScanUpstreamMessage(std::move(bytes), ScanLimits{.max_bytes = size});
  return told.ok() ? *std::move(told) : message;
}

}  // namespace sallyport::agent
