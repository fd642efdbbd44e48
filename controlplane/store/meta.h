#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controlplane/store/database.h"

// Facts about the deployment as a whole, in control.db.
namespace sallyport::controlplane::meta {

// 26 base32 characters, drawn when the database was created and never changed.
absl::StatusOr<std::string> DeploymentId(Transaction& t);

// What a snapshot for agents is numbered by. The epoch is 1, and one more for each restore of the
// data.
struct SnapshotVersion {
  uint64_t epoch = 0;
  uint64_t version = 0;
  bool operator==(const SnapshotVersion&) const = default;
};
absl::StatusOr<SnapshotVersion> CurrentSnapshot(Transaction& t);

// The snapshot's version with which the documents changed last: a call that was judged by it, or by
// one that followed, was judged by the documents in force.
absl::StatusOr<uint64_t> DocumentsVersion(Transaction& t);

// What agents must know has changed, though no document has: raises the version, and watchers of
// ChangeKind::kSnapshot hear of it.
absl::Status BumpSnapshot(WriteTransaction& t);
// The same where documents have changed. They do this on their own when they are put or deleted.
absl::Status BumpDocuments(WriteTransaction& t);

// The fingerprint (lower case hex) of one of the deployment's keys by its name: `ca`, `grant`,
// `snapshot`, `effect`. nullopt: none was noted yet.
absl::StatusOr<std::optional<std::string>> KeyFingerprint(Transaction& t,
                                                          std::string_view key_name);
absl::Status SetKeyFingerprint(WriteTransaction& t, std::string_view key_name,
                               std::string_view fingerprint);

}  // namespace sallyport::controlplane::meta
