#include "controlplane/recordings/recording.h"

#include <optional>

#include "common/status_macros.h"
#include "controlplane/store/records.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {
namespace {

constexpr std::string_view kDenialPrefix = "agent:";

}  // namespace

bool IsDenialChainOf(std::string_view agent, std::string_view id) {
  if (!id.starts_with(kDenialPrefix)) return false;
  id.remove_prefix(kDenialPrefix.size());
  if (!id.starts_with(agent)) return false;
  id.remove_prefix(agent.size());
  return id.empty() || id.front() == ':';
}

absl::StatusOr<RecordingSubject> FindRecording(Database& control, Database& recordings,
                                               std::string_view id) {
  if (id.substr(0, kDenialPrefix.size()) == kDenialPrefix) {
    ASSIGN_OR_RETURN(const auto t, recordings.Read());
    ASSIGN_OR_RETURN(const auto agent, records::AgentOf(*t, id));
    if (agent.has_value()) return RecordingSubject{};
  } else {
    ASSIGN_OR_RETURN(const auto t, control.Read());
    ASSIGN_OR_RETURN(const auto session, sessions::Find(*t, id));
    if (session.has_value())
      return RecordingSubject{session->proto(), true, session->is_reported()};
  }
  return absl::NotFoundError("there is no session " + std::string(id));
}

absl::Status ForEachRecord(Database& recordings, std::string_view id,
                           absl::FunctionRef<bool(types::v1::Record&)> take) {
  uint64_t after = 0;
  while (true) {
    std::optional<records::StoredRun> stored;
    {
      ASSIGN_OR_RETURN(const auto t, recordings.Read());
      ASSIGN_OR_RETURN(stored, records::NextRun(*t, id, after));
    }
    if (!stored.has_value()) return absl::OkStatus();
    after = stored->first_n;
    for (const RecordView& view : stored->run.records()) {
      types::v1::Record record;
      if (!record.ParseFromArray(view.bytes.data(), static_cast<int>(view.bytes.size()))) {
        return absl::DataLossError("a stored record of " + std::string(id) + " cannot be read");
      }
      if (!take(record)) return absl::OkStatus();
    }
  }
}

}  // namespace sallyport::controlplane
