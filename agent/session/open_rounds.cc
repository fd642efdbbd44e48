#include "agent/session/open_rounds.h"

#include <algorithm>
#include <utility>

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxOpenRounds = 256;

}  // namespace

void OpenRounds::Open(std::string nonce, std::string call_id, absl::Duration until) {
  if (rounds_.size() >= kMaxOpenRounds) GiveUp(rounds_.begin());
  rounds_.push_back({std::move(nonce), std::move(call_id), until});
}

bool OpenRounds::Take(std::string_view nonce) {
  const auto round = std::ranges::find(rounds_, nonce, &Round::nonce);
  if (round == rounds_.end()) return false;
  rounds_.erase(round);
  return true;
}

void OpenRounds::GiveUp(std::string_view nonce) {
  const auto round = std::ranges::find(rounds_, nonce, &Round::nonce);
  if (round != rounds_.end()) GiveUp(round);
}

std::vector<std::string> OpenRounds::TakeGivenUp(absl::Duration now) {
  // All rounds of a session wait equally long.
  while (!rounds_.empty() && now >= rounds_.front().until) GiveUp(rounds_.begin());
  return std::exchange(given_up_, {});
}

void OpenRounds::GiveUp(std::deque<Round>::iterator round) {
  if (!round->call_id.empty()) given_up_.push_back(std::move(round->call_id));
  rounds_.erase(round);
}

}  // namespace sallyport::agent
