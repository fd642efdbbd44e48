#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sallyport::agent {

struct SetAsideOptions {
  // Made with mode 0700 once it is needed.
  std::string dir;
  // When its files have come to so much, nothing more is set aside.
  std::uint64_t max_bytes = std::uint64_t{4} << 30;
};

// Recordings that the control plane has refused for good, each in a file `dir`/RECORDING.jsonl: a
// record a line, as `sallyport sessions replay -o json` shows it (common/record_json). A file that
// somebody moves away is his: what comes after it begins another one.
//
// On the uploader's thread.
class SetAside {
 public:
  explicit SetAside(SetAsideOptions options) : options_(std::move(options)) {}

  // From now on, in this run, its records belong here. False: they do already, or no file can have
  // such a name.
  bool Begin(const std::string& recording);
  bool Holds(std::string_view recording) const;
  std::string FileOf(std::string_view recording) const;

  // A serialized record of a recording that it holds, for the next Write; passed over where it is
  // in the file. An error is that of Write.
  absl::Status Add(std::string_view record);
  std::size_t pending_bytes() const { return pending_bytes_; }
  // Makes durable what was added. An error names the file; what was added is forgotten then, and
  // may be added again.
  absl::Status Write();

 private:
  struct Recording {
    // Of what is in the file, once that has been looked at, and of what was added. A number would
    // not do: of two histories of one recording none may pass for the other.
    absl::flat_hash_set<std::string> hashes;
    bool is_known = false;
    std::string lines;
  };
  absl::Status WriteFiles();
  absl::Status Append(const std::string& path, std::string_view lines);

  const SetAsideOptions options_;
  absl::flat_hash_map<std::string, Recording> recordings_;
  std::size_t pending_bytes_ = 0;
};

// How many recordings lie in that directory. Any thread.
std::size_t CountSetAside(const std::string& dir);

}  // namespace sallyport::agent
