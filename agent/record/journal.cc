#include "agent/record/journal.h"

#include <fstream>
#include <utility>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/file.h"
#include "common/log.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

absl::StatusOr<std::set<std::string>> ReadLines(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return std::set<std::string>();
  if (!text.ok()) return text.status();
  return std::set<std::string>(absl::StrSplit(*text, '\n', absl::SkipEmpty()));
}

}  // namespace

absl::Status Journal::Open(Options options) {
  chains_ = std::move(options.chains);
  ASSIGN_OR_RETURN(auto opened, Spool::Open({.dir = options.dir + "/" + options.name,
                                             .max_bytes = options.max_bytes,
                                             .segment_bytes = options.segment_bytes,
                                             .sync = options.sync},
                                            *this));
  const SpoolRecovery& recovery = opened->recovery();
  LogInfo(
      "spool_opened",
      {{"spool", options.name}, {"records", recovery.records}, {"cut_bytes", recovery.cut_bytes}});
  for (const std::string& file : recovery.quarantined) {
    LogError("spool_damaged", {{"spool", options.name}, {"quarantined", file}});
  }
  RETURN_IF_ERROR(ReadDamaged(options));
  spool_ = std::move(opened);
  return absl::OkStatus();
}

absl::Status Journal::ReadDamaged(const Options& options) {
  damaged_file_ = options.dir + "/" + options.name + ".damaged";
  ASSIGN_OR_RETURN(damaged_, ReadLines(damaged_file_));
  const std::size_t known = damaged_.size();
  for (const std::string& session : found_.Damaged()) {
    LogError("recording_damaged", {{"spool", options.name}, {"session", session}});
    damaged_.insert(session);
  }
  if (damaged_.size() == known) return absl::OkStatus();
  return WriteFileAtomically(damaged_file_, absl::StrJoin(damaged_, "\n"));
}

absl::Status Journal::AddDamaged(const std::string& session) {
  if (!damaged_.insert(session).second) return absl::OkStatus();
  // Calls wait meanwhile, so it is not synced: should it be lost, the control plane refuses again.
  std::ofstream file(damaged_file_, std::ios::app);
  if (file << '\n' << session << std::flush) return absl::OkStatus();
  return absl::UnavailableError("cannot write " + damaged_file_);
}

bool Journal::OnEntry(EntryKind kind, std::string_view payload) {
  if (kind == EntryKind::kRecord) return found_.OnRecord(payload);
  if (kind == EntryKind::kChains) found_.OnChains(payload);
  return true;
}

std::string Journal::Checkpoint() { return SerializeChains(is_open() ? chains_() : found_.open()); }

}  // namespace sallyport::agent
