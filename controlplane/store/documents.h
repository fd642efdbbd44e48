#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/types/v1/policy.pb.h"

// Policies, mask profiles and locks, in control.db. Who puts them has parsed and checked them
// (common/policy).
namespace sallyport::controlplane::documents {

// nullopt: there is none.
absl::StatusOr<std::optional<types::v1::Document>> Find(Transaction& t,
                                                        types::v1::DocumentKind kind,
                                                        std::string_view name);

// By name, those after `after_name`, at most `limit`.
absl::StatusOr<std::vector<types::v1::Document>> List(Transaction& t, types::v1::DocumentKind kind,
                                                      std::string_view after_name, int limit);

// Every document of every kind, by kind and name: what CompiledPolicies and snapshots are made of.
absl::StatusOr<std::vector<types::v1::Document>> All(Transaction& t);

struct Put {
  types::v1::Document document;  // as stored: with version, updated_at and updated_by
  bool is_created = false;
  bool is_changed = false;  // false: the same source was there already, and nothing was written
};

// Creates or replaces (kind, name) and raises the snapshot's version, with an audit line. A lock
// takes effect in the same transaction: the live sessions that it matches end as revoked, and their
// open approvals are withdrawn.
absl::StatusOr<Put> PutDocument(WriteTransaction& t, const types::v1::Document& document,
                                const Caller& caller, absl::Time now);

// False: there was none. With an audit line. Deleting a lock revives nothing.
absl::StatusOr<bool> DeleteDocument(WriteTransaction& t, types::v1::DocumentKind kind,
                                    std::string_view name, const Caller& caller, absl::Time now);

}  // namespace sallyport::controlplane::documents
