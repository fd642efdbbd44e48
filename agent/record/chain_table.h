#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "agent/record/spool.h"

namespace sallyport::agent {

// Where a chain stands.
struct ChainState {
  std::uint64_t n = 0;
  std::array<unsigned char, 32> head{};
  // Requests that count against max_calls.
  std::uint64_t calls = 0;
  // Requests without an answer, by n.
  std::vector<std::uint64_t> unanswered;
};

// The first entry of a segment: every open chain at that point.
std::string SerializeChains(const absl::flat_hash_map<std::string, ChainState>& chains);
// False when `bytes` is not one.
bool ParseChains(std::string_view bytes, absl::flat_hash_map<std::string, ChainState>& chains);

// Follows the records of a spool from its begin and knows at each point which chains are open, and
// where they stand.
class ChainTable {
 public:
  // False: the record does not follow what came before it in its chain, because something between
  // them is lost.
  bool OnRecord(std::string_view record);
  void OnChains(std::string_view bytes);
  void OnDamage();

  // The chains that can be continued. Moves them out.
  absl::flat_hash_map<std::string, ChainState> TakeOpen();
  // Open chains of which records may have been lost: to continue one could contradict what was
  // already shipped.
  std::vector<std::string> Damaged() const;

  const absl::flat_hash_map<std::string, ChainState>& open() const { return open_; }
  // Chains whose END record is among the records. Moves them out.
  absl::flat_hash_set<std::string> TakeClosed() { return std::exchange(closed_, {}); }

 private:
  enum class Doubt : std::uint8_t { kSuspect, kBroken };
  absl::flat_hash_map<std::string, ChainState> open_;
  absl::flat_hash_set<std::string> closed_;
  absl::flat_hash_map<std::string, Doubt> doubts_;
};

}  // namespace sallyport::agent
