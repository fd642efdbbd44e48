#include "agent/loop/loop.h"

#include <catch2/catch.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/loop/signal.h"

namespace sallyport::agent {
namespace {

Task<void> WaitThenStop(Loop* loop, Signal* signal, absl::Duration timeout, bool* got) {
  *got = co_await signal->Wait(timeout);
  loop->Stop();
}

Task<void> PopAll(Loop* loop, Queue<std::string>* queue, std::vector<std::string>* got) {
  while (auto value = co_await queue->Pop()) got->push_back(*value);
  loop->Stop();
}

// Says when the frame that holds it goes.
class Tombstone {
 public:
  explicit Tombstone(int* gone) : gone_(gone) {}
  ~Tombstone() { ++*gone_; }
  Tombstone(const Tombstone&) = delete;

 private:
  int* gone_;
};

Task<int> Add(Task<int> a, Task<int> b) {
  const int left = co_await std::move(a);
  const int right = co_await std::move(b);
  co_return left + right;
}

Task<void> AddUp(Loop* loop, int* sum) {
  *sum = co_await Add(Add(Task(1), Task(2)), Task(3));
  loop->Stop();
}

Task<void> CountDown(Loop* loop, int* left) {
  for (; *left > 0; --*left) {
    const int zero = co_await Add(Task(0), Task(0));
    if (zero != 0) co_return;
  }
  loop->Stop();
}

Task<int> WaitForEver(Signal* never, int* gone) {
  const Tombstone stone(gone);
  co_await never->Wait();
  co_return 0;
}

Task<void> WaitBehind(Signal* never, int* gone) {
  const Tombstone stone(gone);
  co_await WaitForEver(never, gone);
}

Task<int> Fail() { co_return std::stoi("no number"); }

Task<void> AwaitFailure() { co_await Fail(); }

TEST_CASE("a task gives its value to who awaits it, also one that is done already",
          "[agent][loop]") {
  Loop loop;
  int sum = 0;
  loop.Spawn(AddUp(&loop, &sum));
  loop.Run();
  CHECK(sum == 6);
}

TEST_CASE("a million tasks in a row need no stack", "[agent][loop]") {
  Loop loop;
  int left = 1'000'000;
  loop.Spawn(CountDown(&loop, &left));
  loop.Run();
  CHECK(left == 0);
}

TEST_CASE("a task that still waits goes with its loop, and all that wait for it", "[agent][loop]") {
  int gone = 0;
  {
    auto loop = std::make_unique<Loop>();
    Signal never(*loop);
    loop->Spawn(WaitBehind(&never, &gone));
    loop->Post([&] { loop->Stop(); });
    loop->Run();
    CHECK(gone == 0);
    loop.reset();
  }
  CHECK(gone == 2);
}

TEST_CASE("a task that was spawned and never ran goes with its loop", "[agent][loop]") {
  int gone = 0;
  {
    auto loop = std::make_unique<Loop>();
    Signal never(*loop);
    auto stone = std::make_unique<Tombstone>(&gone);
    loop->Spawn([](std::unique_ptr<Tombstone> held) -> Task<void> { co_return; }(std::move(stone)));
    loop.reset();
  }
  CHECK(gone == 1);
}

TEST_CASE("an exception out of a spawned task leaves Run", "[agent][loop]") {
  Loop loop;
  loop.Spawn(AwaitFailure());
  CHECK_THROWS_AS(loop.Run(), std::invalid_argument);
}

TEST_CASE("a signal wakes its waiter when it is set", "[agent][loop]") {
  Loop loop;
  Signal signal(loop);
  bool got = false;
  loop.Spawn(WaitThenStop(&loop, &signal, absl::InfiniteDuration(), &got));
  loop.Post([&] { signal.Set(); });
  loop.Run();
  CHECK(got);
}

TEST_CASE("a signal's waiter goes on without it after its timeout", "[agent][loop]") {
  Loop loop;
  Signal signal(loop);
  bool got = true;
  loop.Spawn(WaitThenStop(&loop, &signal, absl::Milliseconds(5), &got));
  loop.Run();
  CHECK_FALSE(got);
}

TEST_CASE("a signal that goes away wakes its waiter", "[agent][loop]") {
  Loop loop;
  auto signal = std::make_unique<Signal>(loop);
  bool got = false;
  loop.Spawn(WaitThenStop(&loop, signal.get(), absl::InfiniteDuration(), &got));
  loop.Post([&] { signal.reset(); });
  loop.Run();
  CHECK(got);
}

TEST_CASE("a queue hands over in order and ends when closed", "[agent][loop]") {
  Loop loop;
  Queue<std::string> queue(loop);
  std::vector<std::string> got;
  loop.Spawn(PopAll(&loop, &queue, &got));
  loop.Post([&] {
    queue.Push("a");
    queue.Push("b");
  });
  loop.Post([&] {
    queue.Push("c");
    queue.Close();
    queue.Push("late");
  });
  loop.Run();
  CHECK(got == std::vector<std::string>{"a", "b", "c"});
}

TEST_CASE("a turn's hooks run after what the turn made ready", "[agent][loop]") {
  Loop loop;
  std::vector<std::string> order;
  loop.OnTurnEnd([&] {
    order.push_back("end");
    loop.Stop();
  });
  loop.Post([&] {
    order.push_back("one");
    loop.Post([&] { order.push_back("two"); });
  });
  loop.Run();
  CHECK(order == std::vector<std::string>{"one", "two", "end"});
}

TEST_CASE("a turn ends although something is always ready", "[agent][loop]") {
  Loop loop;
  std::function<void()> again = [&] { loop.Post([&] { again(); }); };
  int ends = 0;
  loop.OnTurnEnd([&] {
    if (++ends == 3) loop.Stop();
  });
  again();
  loop.Run();
  CHECK(ends == 3);
}

TEST_CASE("another thread reaches the loop by posting", "[agent][loop]") {
  Loop loop;
  std::thread::id ran;
  std::thread other([&] {
    loop.Post([&] {
      ran = std::this_thread::get_id();
      loop.Stop();
    });
  });
  loop.Run();
  other.join();
  CHECK(ran == std::this_thread::get_id());
}

}  // namespace
}  // namespace sallyport::agent
