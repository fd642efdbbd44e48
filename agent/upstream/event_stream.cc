#include "agent/upstream/event_stream.h"

#include "agent/http/message.h"
#include "agent/upstream/upstream_error.h"
#include "common/strings.h"

namespace sallyport::agent {

Task<absl::StatusOr<std::optional<SseEvent>>> EventStream::Next() {
  SseEvent event;
  for (;;) {
    const auto complete = reader_.Next(bytes_, event);
    if (!complete.ok()) co_return UpstreamInvalid(ToStd(complete.status().message()));
    if (*complete) co_return event;
    const auto more = co_await connection_.ReadPiece();
    if (!more.ok()) co_return ConnectionError(more.status());
    if (!*more) co_return std::nullopt;
    bytes_ = connection_.response().body;
  }
}

bool IsEventStream(HttpConnection& connection) {
  return IsMediaType(connection.response().fields.Find("content-type").value_or(""),
                     "text/event-stream");
}

absl::Status CheckEncoding(HttpConnection& connection) {
  const auto encoding = connection.response().fields.Find("content-encoding");
  if (encoding && *encoding != "identity")
    return UpstreamInvalid("the server encoded its answer although it was told not to");
  return absl::OkStatus();
}

}  // namespace sallyport::agent
