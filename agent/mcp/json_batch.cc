#include "agent/mcp/json_batch.h"

#include <set>
#include <string>
#include <utility>

#include "agent/mcp/json_index.h"
#include "common/denial.h"
#include "common/status_macros.h"
#include "sallyport/types/v1/denial.pb.h"

namespace sallyport::agent {
namespace {

using types::v1::DenialReason;

// The whole is judged once by the same rules as a message, so that no limit can be stretched by
// cutting; then each element by itself.
template <class Message>
absl::StatusOr<std::vector<Message>> ScanBatch(std::string_view bytes, const ScanLimits& limits,
                                               DenialReason invalid,
                                               absl::StatusOr<Message> (*scan)(std::string,
                                                                               const ScanLimits&)) {
  JsonIndex index;
  RETURN_IF_ERROR(JudgeJson(index, bytes, limits, invalid));
  if (!index.root().is_array()) return Denied(invalid, "not a batch");
  std::vector<Message> messages;
  for (const JsonNode& element : index.Children(index.root())) {
    if (messages.size() == kMaxBatchMessages) {
      return Denied(invalid, "the batch has too many messages");
    }
    if (!element.is_object()) return Denied(invalid, "a message of the batch is no object");
    ASSIGN_OR_RETURN(Message message, scan(std::string(index.Raw(element)), limits));
    messages.push_back(std::move(message));
  }
  if (messages.empty()) return Denied(invalid, "the batch is empty");
  return messages;
}

}  // namespace

bool IsBatch(std::string_view bytes) {
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && bytes[first] == '[';
}

absl::StatusOr<std::vector<ClientMessage>> ScanClientBatch(std::string_view bytes,
                                                           const ScanLimits& limits) {
  constexpr DenialReason kInvalid = DenialReason::DENIAL_REASON_MESSAGE_INVALID;
  ASSIGN_OR_RETURN(std::vector<ClientMessage> messages,
                   ScanBatch<ClientMessage>(bytes, limits, kInvalid, ScanClientMessage));
  std::set<std::string_view> ids;
  for (const ClientMessage& message : messages) {
    if (message.shape == Shape::kRequest && !ids.insert(message.id).second) {
      return Denied(kInvalid, "two requests of the batch have the same id");
    }
  }
  return messages;
}

absl::StatusOr<std::vector<UpstreamMessage>> ScanUpstreamBatch(std::string_view bytes,
                                                               const ScanLimits& limits) {
  return ScanBatch<UpstreamMessage>(bytes, limits, DenialReason::DENIAL_REASON_UPSTREAM_INVALID,
                                    ScanUpstreamMessage);
}

}  // namespace sallyport::agent
