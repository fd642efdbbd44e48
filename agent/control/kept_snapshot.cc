#include "agent/control/kept_snapshot.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/log.h"
#include "common/snapshot_limits.h"
#include "common/status_macros.h"

namespace sallyport::agent {

KeptSnapshot::KeptSnapshot(Loop& loop, const std::string& data_dir)
    : loop_(loop), file_(data_dir + "/snapshot.pb"), written_(loop) {}

absl::StatusOr<std::optional<v1::SignedSnapshot>> KeptSnapshot::Load() const {
  const absl::StatusOr<std::string> bytes = ReadSecretFile(file_, kMaxAgentMessageBytes);
  if (absl::IsNotFound(bytes.status())) return std::nullopt;
  RETURN_IF_ERROR(bytes.status());
  std::optional<v1::SignedSnapshot> kept(std::in_place);
  if (!kept->ParseFromString(*bytes))
    return absl::DataLossError(absl::StrCat(file_, " does not parse"));
  return kept;
}

void KeptSnapshot::Keep(std::shared_ptr<const v1::SignedSnapshot> snapshot) {
  next_ = std::move(snapshot);
  if (!is_writing_) Write();
}

Task<void> KeptSnapshot::Drain() {
  while (is_writing_) {
    written_.Reset();
    co_await written_.Wait();
  }
}

void KeptSnapshot::Write() {
  is_writing_ = true;
  loop_.RunElsewhere(
      [snapshot = std::exchange(next_, nullptr), file = file_] {
        const absl::Status kept = WriteFileAtomically(file, snapshot->SerializeAsString());
        if (!kept.ok()) LogError("snapshot_not_kept", {{"error", kept}});
      },
      [this] {
        is_writing_ = false;
        written_.Set();
        if (next_ != nullptr) Write();
      });
}

}  // namespace sallyport::agent
