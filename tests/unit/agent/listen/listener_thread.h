#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "agent/listen/http_listener.h"
#include "tests/fakes/fake_clock.h"

namespace sallyport::agent {

// A listener on a loop of its own thread, under a clock that the test moves. Who starts it stops
// it.
struct ListenerThread {
  void Start(HttpService& service, ListenerOptions options = {}) {
    options.address = "127.0.0.1:0";
    auto created = HttpListener::Create(loop, clock, std::move(options));
    if (!created.ok()) std::abort();
    listener = *std::move(created);
    const std::string& address = listener->address();
    port = std::atoi(address.substr(address.rfind(':') + 1).c_str());
    listener->Start(service);
    thread = std::thread([this] { loop.Run(); });
  }
  void Stop() {
    loop.Post([this] { loop.Spawn(Drain()); });
    thread.join();
  }
  Task<void> Drain() {
    co_await listener->Drain(absl::ZeroDuration());
    loop.Stop();
  }

  FakeClock clock;
  Loop loop;
  std::unique_ptr<HttpListener> listener;
  int port = 0;
  std::thread thread;
};

}  // namespace sallyport::agent
