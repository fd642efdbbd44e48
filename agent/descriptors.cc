#include "agent/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

#include "common/log.h"

namespace sallyport::agent {
namespace {

// For the spool, the control plane, children's pipes, and connections that are being closed.
constexpr std::size_t kOthers = 512;
constexpr std::size_t kFewestConnections = 256;
// A third is for connections to servers: those of idle clients are closed within seconds.
// A connection that is held open by nobody in particular costs some KiB until its time is over.
constexpr std::size_t kMostConnections = 16384;

}  // namespace

std::size_t TakeDescriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (before != limit.rlim_max && setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    LogWarning("descriptors_limited", {{"limit", before}});
    return before;
  }
  return limit.rlim_max;
}

std::size_t ConnectionsFor(std::size_t descriptors) {
  const std::size_t left = descriptors > kOthers ? descriptors - kOthers : 0;
  return std::clamp(left / 3 * 2, kFewestConnections, kMostConnections);
}

}  // namespace sallyport::agent
