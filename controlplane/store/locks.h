#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/types/v1/policy.pb.h"

// What a lock does to the sessions there are; what it does to those that are asked for,
// common/policy says.
namespace sallyport::controlplane::locks {

// Ends every live session that the lock matches, as revoked, each with an audit line. Nothing where
// the lock has expired.
absl::Status Enforce(WriteTransaction& t, const types::v1::Document& lock, const Caller& caller,
                     absl::Time now);

}  // namespace sallyport::controlplane::locks
