#include "common/turns.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace sallyport {
namespace {

constexpr std::uint64_t kShortNanos = 100'000;
// The longest that the kernel takes.
constexpr std::uint64_t kLongNanos = 100'000'000;
// What the system gives everybody.
constexpr std::uint64_t kOrdinaryNanos = 0;

// The kernel's sched_attr: its own header cannot be included beside the C library's.
struct SchedulingAttributes {
  std::uint32_t size;
  std::uint32_t policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime;
  std::uint64_t deadline;
  std::uint64_t period;
};

void AskFor(std::uint64_t turn_nanos) {
  const SchedulingAttributes attributes{.size = sizeof attributes,
                                        .policy = SCHED_OTHER,
                                        .flags = 1,  // SCHED_FLAG_RESET_ON_FORK
                                        .nice = getpriority(PRIO_PROCESS, 0),
                                        .priority = 0,
                                        .runtime = turn_nanos,
                                        .deadline = 0,
                                        .period = 0};
  // Where it is refused everything goes on as before.
  (void)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace

void AskForShortTurns() { AskFor(kShortNanos); }

LongTurns::LongTurns() { AskFor(kLongNanos); }
LongTurns::~LongTurns() { AskFor(kOrdinaryNanos); }

}  // namespace sallyport
