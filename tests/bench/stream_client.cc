// Opens many event streams, one on each connection, and measures how late their events are. Each
// event names the microsecond, of a clock that both ends share, at which the server wrote it
// (fast_upstream does).
//   stream_client PORT REQUESTS STREAMS SPREAD_MS     prints {"streams", "events", "errors",
//   "first", "delay"}
// `first`: from a request to the first byte of its answer's body. `delay`: from an event's writing
// to its arrival. Streams open one after the other over SPREAD_MS. Ends when every answer has
// ended.
#include <sys/epoll.h>

#include "tests/bench/http_client.h"
#include "tests/bench/latencies.h"

namespace {

using sallyport::bench::Connect;
using sallyport::bench::Latencies;
using sallyport::bench::MicrosNow;
using sallyport::bench::ReadRequests;
using sallyport::bench::ResponseReader;

// fast_upstream's: what it writes is the clock modulo this.
constexpr std::int64_t kClockModulo = 1'000'000'000;
constexpr std::string_view kStamp = "sent=";
constexpr std::size_t kStampDigits = 9;

struct Stream {
  int fd = -1;
  std::int64_t since = 0;
  bool has_first = false;
  ResponseReader reader;
  std::string body;
};

class StreamClient {
 public:
  StreamClient(const char* port, std::vector<std::string> requests, std::size_t streams,
               std::int64_t spread_micros)
      : port_(port), requests_(std::move(requests)), streams_(streams), spread_(spread_micros) {}

  void Run() {
    const std::int64_t begun = MicrosNow();
    std::size_t open = 0;
    while (ended_ < streams_.size()) {
      const std::int64_t passed = MicrosNow() - begun;
      while (open < streams_.size() && static_cast<std::int64_t>(open) * spread_ <=
                                           passed * static_cast<std::int64_t>(streams_.size()))
        Open(open++);
      epoll_event ready[64];
      const int count = epoll_wait(poll_, ready, 64, open < streams_.size() ? 1 : 10'000);
      if (count == 0 && open == streams_.size()) break;  // the rest will never end
      for (int i = 0; i < count; ++i) Read(streams_[ready[i].data.u64]);
    }
    std::printf("{\"streams\":%zu,\"events\":%zu,\"errors\":%zu,\"first\":%s,\"delay\":%s}\n",
                streams_.size(), delays_.count(), errors_ + streams_.size() - ended_,
                first_.Json().c_str(), delays_.Json().c_str());
  }

 private:
  void Open(std::size_t i) {
    Stream& stream = streams_[i];
    stream.fd = Connect(port_);
    epoll_event event{EPOLLIN, {.u64 = i}};
    epoll_ctl(poll_, EPOLL_CTL_ADD, stream.fd, &event);
    const std::string& request = requests_[i % requests_.size()];
    stream.since = MicrosNow();
    send(stream.fd, request.data(), request.size(), MSG_NOSIGNAL);
  }

  void Read(Stream& stream) {
    char buffer[65536];
    const ssize_t got = recv(stream.fd, buffer, sizeof buffer, 0);
    const std::int64_t now = MicrosNow();
    if (got < 0 && errno == EAGAIN) return;
    const bool is_http =
        got > 0 && stream.reader.Take({buffer, static_cast<std::size_t>(got)}, stream.body);
    if (is_http && stream.reader.status() != 0 && stream.reader.status() != 200)
      return End(stream, true);
    if (!is_http) return End(stream, true);
    if (!stream.has_first && !stream.body.empty()) {
      stream.has_first = true;
      first_.Add(now - stream.since);
    }
    Judge(stream.body, now);
    if (stream.reader.is_done()) End(stream, false);
  }

  // The events of `body`, which are taken out of it.
  void Judge(std::string& body, std::int64_t now) {
    std::size_t at = 0;
    for (;;) {
      const std::size_t stamp = body.find(kStamp, at);
      if (stamp == body.npos || stamp + kStamp.size() + kStampDigits > body.size()) break;
      at = stamp + kStamp.size() + kStampDigits;
      const std::int64_t sent = std::strtoll(body.c_str() + stamp + kStamp.size(), nullptr, 10);
      delays_.Add((now % kClockModulo - sent + kClockModulo) % kClockModulo);
    }
    const std::size_t kept = body.size() > at + kStamp.size() + kStampDigits
                                 ? body.size() - kStamp.size() - kStampDigits
                                 : at;
    body.erase(0, kept);
  }

  void End(Stream& stream, bool is_error) {
    close(stream.fd);
    ++ended_;
    if (is_error) ++errors_;
  }

  const char* port_;
  const std::vector<std::string> requests_;
  std::vector<Stream> streams_;
  const std::int64_t spread_;
  const int poll_ = epoll_create1(EPOLL_CLOEXEC);
  std::size_t ended_ = 0;
  std::size_t errors_ = 0;
  Latencies first_;
  Latencies delays_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: stream_client PORT REQUESTS STREAMS SPREAD_MS\n");
    return 2;
  }
  StreamClient(argv[1], ReadRequests(argv[2]), std::strtoul(argv[3], nullptr, 10),
               std::strtoll(argv[4], nullptr, 10) * 1000)
      .Run();
}
