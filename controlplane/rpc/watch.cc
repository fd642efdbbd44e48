#include "controlplane/rpc/watch.h"

#include "common/denial.h"
#include "common/status_macros.h"

namespace sallyport::controlplane {

absl::Status MayGoOn(const grpc::ServerContext& context, const Caller& caller,
                     const ChangeFeed& changes, const Clock& clock) {
  if (context.IsCancelled()) return absl::CancelledError("the reader has gone");
  if (changes.is_closed()) return absl::UnavailableError("the control plane is stopping");
  if (caller.person() != nullptr && caller.person()->token_expires_at <= clock.Now()) {
    return Denied(types::v1::DENIAL_REASON_TOKEN_EXPIRED, "the token of this stream has expired");
  }
  return absl::OkStatus();
}

absl::Status Watch(const Reader& reader, absl::FunctionRef<absl::StatusOr<WatchStep>()> first,
                   absl::FunctionRef<absl::StatusOr<WatchStep>(const Change&)> next) {
  for (;;) {
    uint64_t cursor = reader.changes.Now();
    ASSIGN_OR_RETURN(WatchStep step, first());
    if (step == WatchStep::kDone) return absl::OkStatus();
    for (bool has_gap = false; !has_gap;) {
      RETURN_IF_ERROR(MayGoOn(reader.context, reader.caller, reader.changes, reader.clock));
      const Changes news = reader.changes.WaitSince(cursor, kWatchTick);
      RETURN_IF_ERROR(reader.door.CheckStillIn(reader.caller));
      has_gap = news.is_gap;
      cursor = news.cursor;
      for (const Change& change : news.items) {
        ASSIGN_OR_RETURN(step, next(change));
        if (step == WatchStep::kDone) return absl::OkStatus();
      }
    }
  }
}

absl::Status WatchSession(const Reader& reader, std::string_view id,
                          absl::FunctionRef<absl::StatusOr<types::v1::Session>()> read,
                          absl::FunctionRef<absl::Status(const types::v1::Session&)> write) {
  const auto show = [&]() -> absl::StatusOr<WatchStep> {
    ASSIGN_OR_RETURN(const types::v1::Session session, read());
    RETURN_IF_ERROR(write(session));
    const bool is_over = session.state() == types::v1::SESSION_STATE_ENDED ||
                         session.state() == types::v1::SESSION_STATE_DENIED;
    return is_over ? WatchStep::kDone : WatchStep::kGoOn;
  };
  return Watch(reader, show, [&](const Change& change) -> absl::StatusOr<WatchStep> {
    const bool is_it = change.kind == ChangeKind::kSession && change.id == id;
    return is_it ? show() : WatchStep::kGoOn;
  });
}

}  // namespace sallyport::controlplane
