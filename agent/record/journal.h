#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "agent/record/chain_table.h"
#include "agent/record/spool.h"

namespace sallyport::agent {

// One spool and the chains in it.
class Journal final : public SpoolClient {
 public:
  struct Options {
    std::string dir;
    // Its spool is the folder `dir`/`name`.
    std::string name;
    std::uint64_t max_bytes = 0;
    std::uint64_t segment_bytes = 0;
    bool sync = false;
    // The open chains, once the spool is open. Outlives the journal.
    std::function<absl::flat_hash_map<std::string, ChainState>()> chains;
  };

  // Recovers what the last run left and says so in the log.
  absl::Status Open(Options options);

  bool is_open() const { return spool_ != nullptr; }
  Spool& spool() const { return *spool_; }
  // What was found in it.
  ChainTable& found() { return found_; }
  // Recordings that cannot go on, ever since the spool was new: of which records may be lost, or
  // that the control plane has refused. What is whole of the former is still shipped, and must not
  // look as if it could go on.
  const std::set<std::string>& damaged() const { return damaged_; }
  // Adds one, also for the runs to come; an error: for this one alone.
  absl::Status AddDamaged(const std::string& session);

  bool OnEntry(EntryKind kind, std::string_view payload) override;
  void OnDamage() override { found_.OnDamage(); }
  std::string Checkpoint() override;

 private:
  absl::Status ReadDamaged(const Options& options);

  std::function<absl::flat_hash_map<std::string, ChainState>()> chains_;
  ChainTable found_;
  std::set<std::string> damaged_;
  std::string damaged_file_;
  std::unique_ptr<Spool> spool_;
};

}  // namespace sallyport::agent
