#include <string>
#include <utility>

#include "agent/call/check_grant.h"
#include "agent/call/deliver_message.h"
#include "agent/call/error_reply.h"
#include "agent/call/event_store.h"
#include "agent/call/handle_call.h"
#include "agent/call/shown.h"
#include "agent/mcp/dialect.h"
#include "common/denial.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

// Recorded like every refusal of a live session, for a place in a stream is asked for by name.
Task<void> Refuse(Gateway& gateway, const GrantedCall& call, absl::Status why, int status) {
  gateway.metrics.Denied(ReasonOf(why));
  EventFacts facts;
  facts.type = types::v1::RECORD_TYPE_DENIAL;
  facts.denial_reason = ReasonOf(why);
  facts.mcp_session = call.connection->record_tag();
  facts.detail = Show(gateway, *call.session, ToStd(why.message()));
  (void)co_await gateway.recorder.RecordEvent(*call.session->chain, std::move(facts));
  OwnAnswer answer = HttpRefusal(why, Challenge{});
  answer.status = status;
  co_await call.reply->Answer(std::move(answer));
}

// The place that a client comes back to.
absl::StatusOr<EventId> LastEvent(McpConnection& connection, std::string_view last_event_id) {
  const auto id = ParseEventId(last_event_id);
  if (!id || id->session != connection.record_tag()) {
    return Denied(types::v1::DENIAL_REASON_MESSAGE_INVALID,
                  "Last-Event-ID is of no event of this MCP session");
  }
  RETURN_IF_ERROR(connection.events().FindAfter(id->stream, id->n).status());
  return *id;
}

// Until the stream is complete, the client has gone or has come back on another connection. A
// stream that is over and has nothing left gets the answer after which an event source does not
// come back.
Task<void> ServeRequestStream(const GrantedCall& call, EventId after) {
  Reply& reply = *call.reply;
  StreamLog& log = call.connection->events().Log(after.stream);
  if (log.is_closed() && log.last() == after.n) {
    co_await reply.Answer(OwnAnswer{.status = 204});
    co_return;
  }
  StreamReader reader(log, after.n);
  co_await reply.Begin({.after = after});
  reply.TellWhenGone([&log] { log.changed().Set(); });
  while (!reply.is_gone() && !reader.is_displaced()) {
    if (const RecordedMessage* message = reader.Next()) {
      co_await reply.Event(*message);
    } else if (log.is_closed()) {
      break;
    } else {
      co_await reader.Wait();
    }
  }
  reply.TellWhenGone(nullptr);
  co_await reply.End();
  if (!reply.is_gone() && log.is_closed() && reader.n() == log.last()) log.set_delivered();
}

// Also until the MCP session or the token is over.
Task<void> ServeGetStream(Gateway& gateway, const GrantedCall& call, StreamReader& reader,
                          bool is_new) {
  Reply& reply = *call.reply;
  McpConnection& connection = *call.connection;
  const LiveSession::Stream stream(call.session->live());
  connection.ResetStream();
  const std::string_view version =
      call.authenticated->incoming.protocol_version.value_or(connection.mcp().protocol_version());
  co_await reply.Begin({.after = EventId{connection.record_tag(), 0, reader.n()},
                        .primes = is_new && CanBePrimed(version)});
  StreamLog& log = connection.get_stream();
  reply.TellWhenGone([&log] { log.changed().Set(); });
  while (!reply.is_gone() && !reader.is_displaced() && !connection.is_stream_closing()) {
    if (const RecordedMessage* message = reader.Next()) {
      co_await reply.Event(*message);
    } else if (auto queued = connection.TakeQueued()) {
      auto admitted = co_await AdmitMessage(gateway, call, true, *std::move(queued));
      if (admitted) connection.events().Append(connection.get_stream(), *std::move(admitted));
    } else {
      co_await reader.Wait();
    }
  }
  reply.TellWhenGone(nullptr);
  co_await reply.End();
}

}  // namespace

Task<void> HandleGet(Gateway& gateway, AuthenticatedCall call) {
  Reply& reply = *call.incoming.reply;
  auto checked = CheckGrant(gateway, std::move(call));
  if (auto* refusal = std::get_if<OwnAnswer>(&checked)) {
    co_await reply.Answer(std::move(*refusal));
    co_return;
  }
  const GrantedCall granted = std::get<GrantedCall>(std::move(checked));
  McpConnection& connection = *granted.connection;
  const auto last_event_id = granted.authenticated->incoming.fields->Find("last-event-id");
  if (!last_event_id && connection.has_get_stream()) {
    co_await Refuse(
        gateway, granted,
        Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED, "this MCP session has its stream already"),
        409);
    co_return;
  }
  if (!last_event_id) {
    StreamReader reader(connection.get_stream());
    co_await ServeGetStream(gateway, granted, reader, true);
    co_return;
  }
  auto after = LastEvent(connection, *last_event_id);
  if (!after.ok()) {
    co_await Refuse(gateway, granted, after.status(), 400);
  } else if (after->stream == 0) {
    StreamReader reader(connection.get_stream(), after->n);
    co_await ServeGetStream(gateway, granted, reader, false);
  } else {
    after->session = connection.record_tag();
    co_await ServeRequestStream(granted, *after);
  }
}

}  // namespace sallyport::agent
