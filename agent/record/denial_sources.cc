#include "agent/record/denial_sources.h"

namespace sallyport::agent {
namespace {

constexpr int kDenialsPerSecond = 10;
// What comes from more than these counts as one source.
constexpr std::size_t kMaxSources = 1024;

}  // namespace

bool DenialSources::Admit(std::string_view address) {
  std::string key(address);
  if (sources_.size() >= kMaxSources && !sources_.contains(key)) key.clear();
  Source& source = sources_[key];
  if (++source.in_second <= kDenialsPerSecond) return true;
  ++source.suppressed;
  return false;
}

void DenialSources::Summarize(const std::function<void(const std::string&, std::uint64_t)>& tell) {
  for (const auto& [address, source] : sources_) {
    if (source.suppressed != 0) tell(address, source.suppressed);
  }
  sources_.clear();
}

}  // namespace sallyport::agent
