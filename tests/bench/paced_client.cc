// Holds a rate: requests leave at their appointed times over keep-alive connections, whether or not
// the answers come in time. A request that found every connection busy is measured from its
// appointed time, so that a stall counts for all whom it made wait.
//   paced_client PORT REQUESTS CONNECTIONS RATE SECONDS      prints {"calls", "errors", "rate",
//   "latency"}
#include <sys/epoll.h>
#include <sys/prctl.h>

#include <deque>

#include "tests/bench/http_client.h"
#include "tests/bench/latencies.h"

namespace {

using sallyport::bench::Connect;
using sallyport::bench::Latencies;
using sallyport::bench::MicrosNow;
using sallyport::bench::ReadRequests;
using sallyport::bench::ResponseReader;

struct Connection {
  int fd = -1;
  std::int64_t since = 0;
  ResponseReader reader;
};

class PacedClient {
 public:
  PacedClient(const char* port, std::vector<std::string> requests, std::size_t connections,
              double rate, double seconds)
      : requests_(std::move(requests)), connections_(connections), rate_(rate) {
    total_ = static_cast<std::size_t>(rate * seconds);
    latencies_.Reserve(total_);
    for (std::size_t i = 0; i < connections; ++i) {
      connections_[i].fd = Connect(port);
      epoll_event event{EPOLLIN, {.u64 = i}};
      epoll_ctl(poll_, EPOLL_CTL_ADD, connections_[i].fd, &event);
      idle_.push_back(i);
    }
  }

  void Run() {
    begun_ = MicrosNow();
    last_ = DueAt(total_) + kPatience;
    while (latencies_.count() + errors_ < total_ && MicrosNow() < last_) {
      DispatchDue();
      epoll_event ready[64];
      const timespec wait = UntilNext();
      const int count = epoll_pwait2(poll_, ready, 64, &wait, nullptr);
      for (int i = 0; i < count; ++i) Read(ready[i].data.u64);
    }
    const double seconds = static_cast<double>(MicrosNow() - begun_) / 1e6;
    const std::size_t calls = latencies_.count();
    // Unanswered ones too.
    std::printf("{\"calls\":%zu,\"errors\":%zu,\"rate\":%.1f,\"latency\":%s}\n", calls,
                total_ - calls, static_cast<double>(calls) / seconds, latencies_.Json().c_str());
  }

 private:
  // After the last one was due.
  static constexpr std::int64_t kPatience = 5'000'000;

  std::int64_t DueAt(std::size_t n) const {
    return begun_ + static_cast<std::int64_t>(static_cast<double>(n) * 1e6 / rate_);
  }

  timespec UntilNext() const {
    if (sent_ >= total_ || idle_.empty()) return {0, 100'000'000};
    const std::int64_t micros = std::max<std::int64_t>(0, DueAt(sent_) - MicrosNow());
    return {micros / 1'000'000, micros % 1'000'000 * 1'000};
  }

  // A request that was due at the last look and is sent only now has waited for a connection, and
  // not for our clock.
  void DispatchDue() {
    const std::int64_t now = MicrosNow();
    for (; sent_ < total_ && DueAt(sent_) <= now && !idle_.empty(); ++sent_) {
      Connection& connection = connections_[idle_.front()];
      idle_.pop_front();
      connection.since = DueAt(sent_) <= looked_at_ ? DueAt(sent_) : MicrosNow();
      const std::string& request = requests_[sent_ % requests_.size()];
      if (send(connection.fd, request.data(), request.size(), MSG_NOSIGNAL) !=
          static_cast<ssize_t>(request.size()))
        Die("a request could not be sent");
    }
    looked_at_ = now;
  }

  void Read(std::size_t i) {
    Connection& connection = connections_[i];
    char buffer[65536];
    const ssize_t got = recv(connection.fd, buffer, sizeof buffer, 0);
    if (got <= 0) Die("a connection was closed");
    body_.clear();
    if (!connection.reader.Take({buffer, static_cast<std::size_t>(got)}, body_)) Die("no HTTP");
    if (!connection.reader.is_done()) return;
    if (connection.reader.status() == 200) {
      latencies_.Add(MicrosNow() - connection.since);
    } else {
      ++errors_;
    }
    connection.reader.Next();
    idle_.push_back(i);
  }

  [[noreturn]] static void Die(const char* why) {
    std::fprintf(stderr, "paced_client: %s\n", why);
    std::exit(1);
  }

  const std::vector<std::string> requests_;
  std::vector<Connection> connections_;
  const double rate_;
  const int poll_ = epoll_create1(EPOLL_CLOEXEC);
  std::size_t total_ = 0;
  std::size_t sent_ = 0;
  std::size_t errors_ = 0;
  std::int64_t begun_ = 0;
  std::int64_t last_ = 0;
  std::int64_t looked_at_ = 0;
  std::deque<std::size_t> idle_;
  std::string body_;
  Latencies latencies_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: paced_client PORT REQUESTS CONNECTIONS RATE SECONDS\n");
    return 2;
  }
  prctl(PR_SET_TIMERSLACK, 1);
  PacedClient(argv[1], ReadRequests(argv[2]), std::strtoul(argv[3], nullptr, 10),
              std::strtod(argv[4], nullptr), std::strtod(argv[5], nullptr))
      .Run();
}
