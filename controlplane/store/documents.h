#pragma once

#include <cstdint>
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

// The documents that people apply, in control.db, with every version there ever was of each. Who
// puts them has parsed and checked them (common/policy).
namespace sallyport::controlplane::documents {

// The one in force. nullopt: there is none.
absl::StatusOr<std::optional<types::v1::Document>> Find(Transaction& t,
                                                        types::v1::DocumentKind kind,
                                                        std::string_view name);

// In force, by name, those after `after_name`, at most `limit`.
absl::StatusOr<std::vector<types::v1::Document>> List(Transaction& t, types::v1::DocumentKind kind,
                                                      std::string_view after_name, int limit);

// Every document of every kind in force, by kind and name: what CompiledPolicies and snapshots are
// made of.
absl::StatusOr<std::vector<types::v1::Document>> All(Transaction& t);

// One version of a document. Deleting makes a version too, and what is created again goes on
// counting from there.
struct Version {
  types::v1::Document document;  // of a deletion: without source and spec
  bool is_deletion = false;
  uint64_t restored_from = 0;  // the version whose content this is; 0: it was applied
};

// nullopt: there never was such a version.
absl::StatusOr<std::optional<Version>> FindVersion(Transaction& t, types::v1::DocumentKind kind,
                                                   std::string_view name, uint64_t version);

// Latest first, those before version `before` (0: all), at most `limit`.
absl::StatusOr<std::vector<Version>> History(Transaction& t, types::v1::DocumentKind kind,
                                             std::string_view name, uint64_t before, int limit);

// Every version of every document of the kind, by name, oldest first.
absl::StatusOr<std::vector<Version>> Versions(Transaction& t, types::v1::DocumentKind kind);

struct Put {
  types::v1::Document document;  // as stored: with version, updated_at and updated_by
  bool is_created = false;
  bool is_changed = false;  // false: the same source was there already, and nothing was written
};

// Creates or replaces (kind, name) and raises the snapshot's version, with an audit line. A lock
// takes effect in the same transaction: the live sessions that it matches end as revoked, and their
// open approvals are withdrawn; kResourceExhausted where all locks together are more than agents
// take (kMaxLockBytes). `restored_from` as in Version.
absl::StatusOr<Put> PutDocument(WriteTransaction& t, const types::v1::Document& document,
                                const Caller& caller, absl::Time now, uint64_t restored_from = 0);

// False: there was none. With an audit line. Deleting a lock revives nothing.
absl::StatusOr<bool> DeleteDocument(WriteTransaction& t, types::v1::DocumentKind kind,
                                    std::string_view name, const Caller& caller, absl::Time now);

}  // namespace sallyport::controlplane::documents
