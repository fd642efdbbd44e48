#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/database.h"
#include "sallyport/types/v1/policy.pb.h"

// What a lock does to the sessions there are; what it does to those that are asked for,
// common/policy says.
namespace sallyport::controlplane::locks {

// Ends every live session that the lock matches, as revoked, each with an audit line. Nothing where
// the lock has expired.
absl::Status Enforce(WriteTransaction& t, const types::v1::Document& lock, const Caller& caller,
                     absl::Time now);

// Whether anybody of that subject or client id has ever had a session or asked for anything else
// here: a lock that names nobody is a mistake.
absl::StatusOr<bool> KnowsName(Transaction& t, std::string_view realm, std::string_view name);

// How a person is refused whom the lock of that name shuts out.
absl::Status ShutOut(std::string_view lock);

// A person who has been locked out since the request came, for it has waited behind the lock's own
// transaction: refused, with a line about what was to be done. What a person changes or reads
// begins its transaction with it; nothing is written before. Ok for all others.
absl::Status RefuseShutOut(WriteTransaction& t, audit_log::Line line, const Caller& caller,
                           absl::Time now);

}  // namespace sallyport::controlplane::locks
