#include "common/turns.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <thread>

namespace sallyport {
namespace {

constexpr std::uint64_t kShortNanos = 100'000;

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

}  // namespace

void AskForShortTurns() {
  const SchedulingAttributes attributes{.size = sizeof attributes,
                                        .policy = SCHED_OTHER,
                                        .flags = 1,  // SCHED_FLAG_RESET_ON_FORK
                                        .nice = getpriority(PRIO_PROCESS, 0),
                                        .priority = 0,
                                        .runtime = kShortNanos,
                                        .deadline = 0,
                                        .period = 0};
  // Where it is refused everything goes on as before.
  (void)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

void TakeFewerTurns() {
  constexpr int kNicer = 5;
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), getpriority(PRIO_PROCESS, 0) + kNicer);
}

bool MayLeaveIdleTurns() {
  bool may = false;
  std::thread([&may] {
    const sched_param param{};
    may = sched_setscheduler(0, SCHED_IDLE, &param) == 0 &&
          sched_setscheduler(0, SCHED_OTHER, &param) == 0;
  }).join();
  return may;
}

void TakeIdleTurns(pid_t thread) {
  const sched_param param{};
  sched_setscheduler(thread, SCHED_IDLE, &param);
}

void TakeOrdinaryTurns(pid_t thread) {
  const sched_param param{};
  sched_setscheduler(thread, SCHED_OTHER, &param);
}

}  // namespace sallyport
