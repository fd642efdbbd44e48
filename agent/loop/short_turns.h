#pragma once

namespace sallyport::agent {

// Asks the scheduler for turns of a tenth of a millisecond for the calling thread: no more of the
// processor than others get, but sooner after it has been woken. For a thread whose work is short
// and for which calls wait. What it starts has ordinary turns. Linux takes notice from 6.12 on.
void AskForShortTurns();

}  // namespace sallyport::agent
