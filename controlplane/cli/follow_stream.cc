#include "controlplane/cli/follow_stream.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "absl/time/clock.h"
#include "common/denial.h"
#include "common/grpc_status.h"
#include "common/printable.h"
#include "controlplane/cli/explain_failure.h"
#include "controlplane/cli/output.h"

namespace sallyport::controlplane {
namespace {

// While it is started again: not there yet, or without an issuer's keys.
bool IsAway(const grpc::Status& end) { return end.error_code() == grpc::StatusCode::UNAVAILABLE; }

void SayAway(const grpc::Status& end, const ApiConnection& connection) {
  const absl::Status why = ExplainFailure(end, connection.address());
  std::fprintf(stderr, "The control plane is away: %s\nTrying again until it is back.\n",
               Printable(std::string(why.message())).c_str());
}

void SayBack() { std::fprintf(stderr, "The control plane is back.\n"); }

// What it says for a reason of its own it says to everybody who asks it anew, too.
bool HasReason(const grpc::Status& end) {
  return ReasonOf(FromGrpcStatus(end)) != types::v1::DENIAL_REASON_UNSPECIFIED;
}

}  // namespace

int FollowStreams(const ClientOptions& options, FollowTerms terms, ReadStream read) {
  bool is_away = false;
  for (;;) {
    const absl::StatusOr<ApiConnection> connection = ApiConnection::Open(options);
    if (!connection.ok()) return Fail(connection.status());
    const bool is_there = connection->Connect();
    if (is_there && is_away) SayBack();
    is_away = is_away && !is_there;
    bool got_something = false;
    grpc::Status end;
    if (const std::optional<int> code = read(*connection, got_something, end); code.has_value())
      return *code;
    if (end.ok()) return 0;
    terms.was_reached = terms.was_reached || got_something || (is_there && !HasReason(end));
    const absl::Time now = absl::Now();
    if (!IsAway(end) || !terms.was_reached || now >= terms.until)
      return Fail(end, connection->address());
    if (!is_away) SayAway(end, *connection);
    is_away = true;
    if (got_something) terms.waits.Reset();
    absl::SleepFor(std::min(terms.waits.Next(), terms.until - now));
  }
}

}  // namespace sallyport::controlplane
