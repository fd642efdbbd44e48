#pragma once

#include <sys/types.h>

// When the scheduler lets a thread run, and for how long before others have their turn.
namespace sallyport {

// For the calling thread, whose work is short and for which calls wait: turns of a tenth of a
// millisecond. It gets no more of the processor, but takes it at once when it is woken. Linux takes
// notice from 6.12 on; no privilege is needed. What it starts has ordinary turns.
void AskForShortTurns();

// Whether a thread that has gone to idle turns may come back: without CAP_SYS_NICE only where
// RLIMIT_NICE allows it, and one that may not starves on a busy machine. Tried, not computed, in a
// thread that ends with it.
bool MayLeaveIdleTurns();

// For the thread of that id (0: the calling one), which MayLeaveIdleTurns: it runs while nobody
// else wants its processor.
void TakeIdleTurns(pid_t thread = 0);
// For the calling thread, whose work may take long: where others want its processor, it gets a
// third of what each of them gets. What it starts does the same.
void TakeFewerTurns();
// As everybody does.
void TakeOrdinaryTurns(pid_t thread = 0);

}  // namespace sallyport
