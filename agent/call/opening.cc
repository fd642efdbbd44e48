#include "agent/call/opening.h"

#include <utility>

namespace sallyport::agent {

void Opening::Decide(absl::Status why) {
  refusal = std::move(why);
  is_asking = false;
  answered.Set();
  decided.Set();
}

void Openings::Sweep(absl::Duration since) {
  std::erase_if(by_key, [&](const auto& entry) {
    const std::shared_ptr<Opening>& opening = entry.second;
    return opening.use_count() == 1 && (opening->decided.is_set() || opening->hold_began < since);
  });
}

}  // namespace sallyport::agent
