#include "agent/call/drop_message.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/call/shown.h"
#include "common/log.h"

namespace sallyport::agent {

namespace {

using types::v1::DenialReason;

Task<void> RecordBlocked(Gateway& gateway, ServedSession& session, McpConnection& connection,
                         DenialReason reason, std::string_view method, ShownText detail) {
  gateway.metrics.Denied(reason);
  EventFacts facts;
  facts.type = types::v1::RECORD_TYPE_DENIAL;
  facts.method = Show(gateway, session, method);
  facts.denial_reason = reason;
  facts.mcp_session = connection.record_tag();
  facts.detail = std::move(detail);
  const absl::Status denied =
      co_await gateway.recorder.RecordEvent(*session.chain, std::move(facts));
  if (!denied.ok()) LogError("record_failed", {{"session", session.id()}, {"error", denied}});
}

}  // namespace

Task<void> DropMessage(Gateway& gateway, ServedSession& session, McpConnection& connection,
                       DenialReason reason, std::string_view method, std::string why) {
  const auto unrecorded = connection.dropped().Note(gateway.clock.SinceBoot());
  if (!unrecorded) {
    gateway.metrics.Denied(reason);
    co_return;
  }
  if (*unrecorded > 0) {
    absl::StrAppend(&why, "; ", *unrecorded, " more before it are counted and not recorded");
  }
  co_await RecordBlocked(gateway, session, connection, reason, method, Show(gateway, session, why));
}

}  // namespace sallyport::agent
