#pragma once

// How long the scheduler lets a thread run before others have their turn. No thread gets more or
// less of the processor by it, only in other pieces: a thread with shorter turns takes the
// processor at once when it is woken. Linux takes notice from 6.12 on; no privilege is needed.
namespace sallyport {

// For the calling thread, whose work is short and for which calls wait: turns of a tenth of a
// millisecond. What it starts has ordinary turns.
void AskForShortTurns();

// For the calling thread while it lives, whose work is long and nobody's call: whoever is woken
// meanwhile goes first.
class LongTurns {
 public:
  LongTurns();
  ~LongTurns();
  LongTurns(const LongTurns&) = delete;
  LongTurns& operator=(const LongTurns&) = delete;
};

}  // namespace sallyport
