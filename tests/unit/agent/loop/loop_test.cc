#include "agent/loop/loop.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <optional>
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

Task<void> SayTwice(Loop* loop, std::string what, std::vector<std::string>* order) {
  order->push_back(what);
  co_await GiveWay(*loop);
  order->push_back(std::move(what));
}

// With another one: each wakes the other for ever.
Task<void> TakeTurns(Signal* mine, Signal* other, int* turns) {
  for (;;) {
    ++*turns;
    mine->Reset();
    other->Set();
    co_await mine->Wait();
  }
}

Task<void> GiveWayTwice(Loop* loop, const int* turns, int* seen) {
  co_await GiveWay(*loop);
  co_await GiveWay(*loop);
  *seen = *turns;
  loop->Stop();
}

Task<void> WaitThenSay(Signal* signal, std::string what, std::vector<std::string>* order) {
  co_await signal->Wait();
  order->push_back(std::move(what));
}

Task<void> SleepThenSay(Loop* loop, absl::Duration duration, std::string what,
                        std::vector<std::string>* order) {
  co_await Sleep(*loop, duration);
  order->push_back(std::move(what));
  loop->Stop();
}

Task<void> AwaitKept(std::optional<Resume<int>>* kept, int* gone) {
  const Tombstone stone(gone);
  *gone += co_await SuspendFor<int>([&](Resume<int> resume) { kept->emplace(std::move(resume)); });
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

TEST_CASE("what never comes to an end does not keep what gives way waiting for ever",
          "[agent][loop]") {
  Loop loop;
  Signal ping(loop), pong(loop);
  int turns = 0, seen = 0;
  loop.Spawn(TakeTurns(&ping, &pong, &turns));
  loop.Spawn(TakeTurns(&pong, &ping, &turns));
  loop.Spawn(GiveWayTwice(&loop, &turns, &seen));
  loop.Run();
  CHECK(seen > 64);
  CHECK(seen < 200);
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

TEST_CASE("who gives way goes on behind all that has become ready, and still in this turn",
          "[agent][loop]") {
  Loop loop;
  std::vector<std::string> order;
  Signal first(loop);
  Signal second(loop);
  loop.OnTurnEnd([&] {
    order.push_back("end");
    loop.Stop();
  });
  loop.Spawn(WaitThenSay(&first, "first", &order));
  loop.Spawn(WaitThenSay(&second, "second", &order));
  loop.Spawn(SayTwice(&loop, "polite", &order));
  loop.Post([&] {
    first.Set();
    second.Set();
  });
  loop.Run();
  CHECK(order == std::vector<std::string>{"polite", "first", "second", "polite", "end"});
}

TEST_CASE("a loop that goes takes with it who gave way", "[agent][loop]") {
  std::vector<std::string> order;
  {
    Loop loop;
    loop.OnTurnEnd([&] { loop.Spawn(SayTwice(&loop, "polite", &order)); });
    loop.RunReady();
  }
  CHECK(order == std::vector<std::string>{"polite"});
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

TEST_CASE("a sleep ends in its order and not early", "[agent][loop]") {
  Loop loop;
  std::vector<std::string> order;
  const auto began = std::chrono::steady_clock::now();
  loop.Spawn(SleepThenSay(&loop, absl::Milliseconds(20), "long", &order));
  loop.Spawn(SleepThenSay(&loop, absl::Milliseconds(5), "short", &order));
  loop.Spawn(SleepThenSay(&loop, absl::Milliseconds(-1), "none", &order));
  while (order.size() < 3) loop.Run();
  CHECK(order == std::vector<std::string>{"none", "short", "long"});
  CHECK(std::chrono::steady_clock::now() - began >= std::chrono::milliseconds(20));
}

TEST_CASE("what ticks does so again and again", "[agent][loop]") {
  Loop loop;
  int ticks = 0;
  loop.Every(absl::Milliseconds(1), [&] {
    if (++ticks == 3) loop.Stop();
  });
  loop.Run();
  CHECK(ticks == 3);
}

TEST_CASE("a result that comes after its task has gone with the loop is nobody's",
          "[agent][loop]") {
  std::optional<Resume<int>> kept;
  int gone = 0;
  {
    Loop loop;
    loop.Spawn(AwaitKept(&kept, &gone));
    loop.RunReady();
    REQUIRE(kept.has_value());
  }
  CHECK(gone == 1);
  kept.reset();
}

TEST_CASE("a task whose result will never come goes, and not before who dropped it returns",
          "[agent][loop]") {
  Loop loop;
  std::optional<Resume<int>> kept;
  int gone = 0;
  loop.Spawn(AwaitKept(&kept, &gone));
  loop.RunReady();
  kept.reset();
  CHECK(gone == 0);
  loop.RunReady();
  CHECK(gone == 1);
}

TEST_CASE("a result goes to its task, however often it is moved before", "[agent][loop]") {
  Loop loop;
  std::optional<Resume<int>> kept;
  int gone = 0;
  loop.Spawn(AwaitKept(&kept, &gone));
  loop.RunReady();
  std::vector<Resume<int>> moved;
  moved.push_back(*std::move(kept));
  kept.reset();
  moved.push_back(std::move(moved.front()));
  std::swap(moved[0], moved[1]);
  moved[0](7);
  CHECK(gone == 7 + 1);
}

TEST_CASE("blocking work runs elsewhere, and what follows on the loop", "[agent][loop]") {
  Loop loop;
  std::thread::id blocked;
  std::thread::id followed;
  loop.RunElsewhere([&] { blocked = std::this_thread::get_id(); },
                    [&] {
                      followed = std::this_thread::get_id();
                      loop.Stop();
                    });
  loop.Run();
  CHECK(blocked != std::this_thread::get_id());
  CHECK(followed == std::this_thread::get_id());
}

TEST_CASE("a loop that goes waits for what runs elsewhere", "[agent][loop]") {
  std::atomic<bool> has_ended = false;
  bool has_followed = false;
  {
    Loop loop;
    loop.RunElsewhere(
        [&] {
          std::this_thread::sleep_for(std::chrono::milliseconds(5));
          has_ended = true;
        },
        [&] { has_followed = true; });
  }
  CHECK(has_ended);
  CHECK_FALSE(has_followed);
}

TEST_CASE("no post of many threads is lost, and none keeps the loop asleep", "[agent][loop]") {
  constexpr int kThreads = 4;
  constexpr int kPosts = 2000;
  Loop loop;
  int seen = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kPosts; ++n) {
        loop.Post([&] {
          if (++seen == kThreads * kPosts) loop.Stop();
        });
      }
    });
  }
  loop.Run();
  for (std::thread& thread : threads) thread.join();
  CHECK(seen == kThreads * kPosts);
}

TEST_CASE("a loop that was stopped from elsewhere can run again", "[agent][loop]") {
  Loop loop;
  for (int i = 0; i < 3; ++i) {
    std::thread other([&] { loop.Stop(); });
    loop.Run();
    other.join();
  }
  bool has_run = false;
  loop.Post([&] {
    has_run = true;
    loop.Stop();
  });
  loop.Run();
  CHECK(has_run);
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
