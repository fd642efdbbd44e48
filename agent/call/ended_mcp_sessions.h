#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "sallyport/types/v1/denial.pb.h"

namespace sallyport::agent {

// Why an MCP session is no more, for the 404 that its client gets from then on.
struct EndedMcpSession {
  std::string_view principal_key;
  std::string_view server;
  // The just-in-time session.
  std::string_view session_id;
  // What became of it.
  std::string_view detail;
  // SESSION_ENDED, or SNAPSHOT_STALE where the control plane had been silent for the lease.
  types::v1::DenialReason reason = types::v1::DENIAL_REASON_SESSION_ENDED;
  // The calls of its window are used up, and no approval would start another one: a session that
  // opens before the window is over has none.
  bool is_used_up = false;
};

// The ended MCP sessions that are remembered: some thousands, enough for the clients of a day; the
// oldest are forgotten, many at once, and get the same 404 without its reason. Their texts lie in
// large blocks: a small piece of memory for each, among those that its session gives back, would
// keep the page of each. On the loop's thread.
class EndedMcpSessions {
 public:
  static constexpr std::size_t kBlockBytes = std::size_t{64} << 10;
  static constexpr std::size_t kBlocks = 16;

  // Once for each id. Copies what `ended` views.
  void Add(std::string_view id, const EndedMcpSession& ended);
  // Null: never heard of, or long ago. Until the next Add.
  const EndedMcpSession* Find(std::string_view id) const;
  std::size_t size() const { return known_.size(); }

 private:
  struct Block {
    std::string text;
    std::vector<std::string_view> ids;
  };
  Block& BlockFor(std::size_t bytes);

  std::deque<Block> blocks_;
  absl::flat_hash_map<std::string_view, EndedMcpSession> known_;
};

}  // namespace sallyport::agent
