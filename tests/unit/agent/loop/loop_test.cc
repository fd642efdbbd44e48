#include "agent/loop/loop.h"

#include <catch2/catch.hpp>
#include <string>
#include <thread>
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
