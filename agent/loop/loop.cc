#include "agent/loop/loop.h"

#include <chrono>
#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace sallyport::agent {
namespace {

using Timer = net::basic_waitable_timer<std::chrono::steady_clock,
                                        net::wait_traits<std::chrono::steady_clock>, Executor>;

}  // namespace

struct Loop::Ticker {
  Ticker(Executor executor, std::chrono::nanoseconds every, std::function<void()> run)
      : timer(executor), period(every), tick(std::move(run)) {}

  void Arm() {
    timer.expires_after(period);
    timer.async_wait([this](boost::system::error_code error) {
      if (error) return;
      tick();
      Arm();
    });
  }

  Timer timer;
  std::chrono::nanoseconds period;
  std::function<void()> tick;
};

Loop::Loop() : context_(1), work_(context_.get_executor()) {}
Loop::~Loop() = default;

void Loop::Spawn(Task<void> task) {
  net::co_spawn(context_, std::move(task), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
}

void Loop::OnTurnEnd(std::function<void()> hook) { turn_end_.push_back(std::move(hook)); }

void Loop::Every(absl::Duration period, std::function<void()> tick) {
  tickers_.push_back(
      std::make_unique<Ticker>(executor(), absl::ToChronoNanoseconds(period), std::move(tick)));
  tickers_.back()->Arm();
}

void Loop::Post(absl::AnyInvocable<void()> work) { net::post(context_, std::move(work)); }

void Loop::Run() {
  while (context_.run_one() > 0) {
    context_.poll();
    for (auto& hook : turn_end_) hook();
  }
}

void Loop::Stop() { context_.stop(); }

}  // namespace sallyport::agent
