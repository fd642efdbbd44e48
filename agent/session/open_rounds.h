#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

namespace sallyport::agent {

// The rounds of a session's calls for which their clients have to come again (modern era), until
// they come or are given up. A round that was given up is not taken any more, and its call is told
// of, for an earlier round of it went out. At most 256: beyond, the oldest is given up.
class OpenRounds {
 public:
  // `nonce`: what its client brings back. `call_id`: what the control plane let its call through
  // as; empty: it had not to. `until`: CLOCK_BOOTTIME.
  void Open(std::string nonce, std::string call_id, absl::Duration until);

  // Its client has come again, and the call goes on. False: it is not open.
  bool Take(std::string_view nonce);

  // Its client will not come again. Nothing where it is not open.
  void GiveUp(std::string_view nonce);

  // Gives up what should have been taken by `now`. The calls, of those that the control plane let
  // through, of all rounds that were given up since the last time.
  std::vector<std::string> TakeGivenUp(absl::Duration now);

  bool empty() const { return rounds_.empty(); }
  std::size_t size() const { return rounds_.size(); }

 private:
  struct Round {
    std::string nonce;
    std::string call_id;
    absl::Duration until;
  };
  void GiveUp(std::deque<Round>::iterator round);

  std::deque<Round> rounds_;
  std::vector<std::string> given_up_;
};

}  // namespace sallyport::agent
