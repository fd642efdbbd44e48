#include "agent/session/live_session.h"

#include "absl/strings/str_cat.h"
#include "common/denial.h"

namespace sallyport::agent {
namespace {

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

}  // namespace

absl::Status SessionEnd::Refusal() const { return Denied(denial_reason(), detail); }

LiveSession::LiveSession(Loop& loop, const Clock& clock, SessionFacts facts)
    : clock_(clock),
      facts_(std::move(facts)),
      boot_deadline_(clock.SinceBoot() + facts_.remaining),
      idle_timeout_(FromProto(facts_.terms.idle_timeout())),
      disconnect_grace_(FromProto(facts_.terms.disconnect_grace())),
      lease_(facts_.terms.has_lease() ? FromProto(facts_.terms.lease()) : absl::InfiniteDuration()),
      quiet_(loop),
      last_activity_(clock.SinceBoot()),
      calls_(facts_.calls) {}

std::optional<SessionEnd> LiveSession::Due(absl::Duration silence) const {
  if (end_) return end_;
  const absl::Duration now = clock_.SinceBoot();
  if (clock_.Now() >= facts_.expires_at || now >= boot_deadline_) {
    return SessionEnd{types::v1::END_REASON_EXPIRED,
                      absl::StrCat("the grant expired at ",
                                   absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", facts_.expires_at,
                                                    absl::UTCTimeZone()))};
  }
  if (lease_ != absl::InfiniteDuration() && silence >= lease_) {
    return SessionEnd{types::v1::END_REASON_REVOKED,
                      absl::StrCat("the control plane has been silent for ",
                                   absl::FormatDuration(lease_), ", the session's lease"),
                      /*is_stale=*/true};
  }
  if (clock_.Now() >= by_policy_.first) {
    return SessionEnd{types::v1::END_REASON_REVOKED, by_policy_.second};
  }
  if (in_flight_ > 0 || approvals_waiting_ > 0) return std::nullopt;
  if (had_stream_ && open_streams_ == 0 && now - last_stream_closed_ >= disconnect_grace_ &&
      now - last_activity_ >= disconnect_grace_) {
    return SessionEnd{types::v1::END_REASON_DISCONNECTED, "the client closed its last stream"};
  }
  if (now - last_activity_ >= idle_timeout_) {
    return SessionEnd{types::v1::END_REASON_EXPIRED,
                      absl::StrCat("nothing was asked for ", absl::FormatDuration(idle_timeout_))};
  }
  return std::nullopt;
}

void LiveSession::End(SessionEnd end) {
  if (!end_) end_ = std::move(end);
}

void LiveSession::Touch() { last_activity_ = clock_.SinceBoot(); }

void LiveSession::ApprovalSettled() {
  if (approvals_waiting_ > 0) --approvals_waiting_;
  Touch();
}

void LiveSession::StreamClosed(bool has_been) {
  --open_streams_;
  if (!has_been) return;
  had_stream_ = true;
  last_stream_closed_ = clock_.SinceBoot();
}

Task<bool> LiveSession::WaitUntilQuiet(absl::Duration timeout) {
  if (is_quiet()) co_return true;
  quiet_.Reset();
  co_return co_await quiet_.Wait(timeout);
}

bool LiveSession::CountCall() {
  if (is_used_up()) return false;
  ++calls_;
  return true;
}

void LiveSession::UncountCall() {
  if (calls_ > facts_.calls) --calls_;
}

}  // namespace sallyport::agent
