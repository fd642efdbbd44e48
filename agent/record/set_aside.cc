#include "agent/record/set_aside.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/record/record_writer.h"
#include "agent/record/segment_file.h"
#include "common/file.h"
#include "common/record_json.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".jsonl";

bool IsFileName(std::string_view name) {
  return !name.empty() && name.size() < 200 && name.front() != '.' &&
         std::ranges::all_of(name, [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  std::string_view("_-.:").find(c) != std::string_view::npos;
         });
}

// As RecordJson shows it; nothing before it in a line holds a quote of its own.
std::string HashIn(std::string_view line) {
  constexpr std::string_view kMember = R"("hash":")";
  const std::size_t at = line.find(kMember);
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + kMember.size());
  return std::string(line.substr(0, line.find('"')));
}

// Of the whole lines; cuts off what a write that was interrupted has left behind them.
absl::StatusOr<absl::flat_hash_set<std::string>> HashesIn(const std::string& path) {
  std::ifstream file(path);
  absl::flat_hash_set<std::string> hashes;
  std::string line;
  std::uint64_t whole = 0;
  while (std::getline(file, line) && !file.eof()) {
    hashes.insert(HashIn(line));
    whole += line.size() + 1;
  }
  const bool is_torn = !line.empty() && file.eof();
  if (is_torn && truncate(path.c_str(), static_cast<off_t>(whole)) != 0) {
    return IoError("cut", path, errno);
  }
  return hashes;
}

// Of what cannot be looked at: 0.
template <class Take>
void ForEachFile(const std::string& dir, Take take) {
  std::error_code none;
  for (fs::directory_iterator file(dir, none), end; !none && file != end; file.increment(none)) {
    if (file->path().extension() == kEnding) take(*file);
  }
}

std::uint64_t BytesIn(const std::string& dir) {
  std::uint64_t bytes = 0;
  ForEachFile(dir, [&](const fs::directory_entry& file) {
    std::error_code none;
    const std::uintmax_t size = file.file_size(none);
    if (!none) bytes += size;
  });
  return bytes;
}

}  // namespace

bool SetAside::Begin(const std::string& recording) {
  return IsFileName(recording) && recordings_.try_emplace(recording).second;
}

bool SetAside::Holds(std::string_view recording) const {
  return !recordings_.empty() && recordings_.contains(ToAbsl(recording));
}

std::string SetAside::FileOf(std::string_view recording) const {
  return absl::StrCat(options_.dir, "/", ToAbsl(recording), ToAbsl(kEnding));
}

absl::Status SetAside::Add(std::string_view record) {
  const std::string id(ReadRecordId(record).session_id);
  Recording& held = recordings_.find(id)->second;
  if (!held.is_known) {
    ASSIGN_OR_RETURN(held.hashes, HashesIn(FileOf(id)));
    held.is_known = true;
  }
  types::v1::Record parsed;
  if (!parsed.ParseFromArray(record.data(), static_cast<int>(record.size()))) {
    return absl::DataLossError("spool: a committed entry is no record");
  }
  const std::string line = RecordJson(parsed) + "\n";
  if (!held.hashes.insert(HashIn(line)).second) return absl::OkStatus();
  held.lines += line;
  pending_bytes_ += line.size();
  return absl::OkStatus();
}

absl::Status SetAside::Write() {
  if (pending_bytes_ == 0) return absl::OkStatus();
  const absl::Status written = WriteFiles();
  for (auto& [id, recording] : recordings_) {
    recording.lines.clear();
    recording.is_known = recording.is_known && written.ok();
  }
  pending_bytes_ = 0;
  return written;
}

absl::Status SetAside::WriteFiles() {
  RETURN_IF_ERROR(EnsurePrivateDirectory(options_.dir));
  if (BytesIn(options_.dir) >= options_.max_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        options_.dir, " is full of what the control plane refused: move its files away"));
  }
  for (const auto& [id, recording] : recordings_) {
    if (!recording.lines.empty()) RETURN_IF_ERROR(Append(FileOf(id), recording.lines));
  }
  RETURN_IF_ERROR(SyncDir(options_.dir));
  return SyncDir(fs::path(options_.dir).parent_path());
}

absl::Status SetAside::Append(const std::string& path, std::string_view lines) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return IoError("open", path, errno);
  const absl::Cleanup closed = [fd] { close(fd); };
  struct stat found {};
  if (fstat(fd, &found) != 0) return IoError("read", path, errno);
  RETURN_IF_ERROR(WriteAll(fd, lines, static_cast<std::uint64_t>(found.st_size), path));
  return fdatasync(fd) == 0 ? absl::OkStatus() : IoError("sync", path, errno);
}

std::size_t CountSetAside(const std::string& dir) {
  std::size_t count = 0;
  ForEachFile(dir, [&](const fs::directory_entry&) { ++count; });
  return count;
}

}  // namespace sallyport::agent
