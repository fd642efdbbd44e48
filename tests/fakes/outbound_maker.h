#pragma once

#include <csignal>
#include <memory>
#include <string>
#include <utility>

#include "agent/loop/loop.h"
#include "agent/record/recorder.h"
#include "common/clock.h"
#include "tests/fakes/masked.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::agent {

// Makes messages that may go out the only way there is: by recording them, in a spool of the test's
// own.
class OutboundMaker {
 public:
  explicit OutboundMaker(Loop& loop) {
    std::signal(SIGPIPE, SIG_IGN);
    auto made = Recorder::Create(loop, clock_,
                                 {.dir = dir_ / "spool",
                                  .agent_name = "test",
                                  .durability = Durability::kProcess,
                                  .spool_max_bytes = std::uint64_t{256} << 20,
                                  .message_bytes = std::uint64_t{16} << 20});
    if (!made.ok()) std::abort();
    recorder_ = *std::move(made);
    chain_ = recorder_->StartChain("ses_test");
  }

  Task<OutboundMessage> Make(std::string json) {
    auto out = co_await recorder_->RecordRequest(*chain_, {}, Clean(std::move(json)));
    if (!out.ok()) std::abort();
    co_return *std::move(out);
  }

 private:
  TempDir dir_;
  SystemClock clock_;
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<RecordingChain> chain_;
};

inline Task<void> ThenStop(Loop* loop, Task<void> task) {
  co_await std::move(task);
  loop->Stop();
}

// Runs the loop until `task` is done.
inline void RunUntilDone(Loop& loop, Task<void> task) {
  loop.Spawn(ThenStop(&loop, std::move(task)));
  loop.Run();
}

}  // namespace sallyport::agent
