// Requests that the server does not read to their end, and answers that it does not end.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <thread>

#include "agent/loop/signal.h"
#include "agent/upstream/http_upstream.h"
#include "common/denial.h"
#include "tests/fakes/outbound_maker.h"

namespace sallyport::agent {
namespace {

// More than the kernel keeps for a server that does not read.
constexpr std::size_t kLarge = 14'000'000;

// Reads the head of each connection's request and nothing behind it, and says `answer`.
class HeadReader {
 public:
  explicit HeadReader(std::string answer, bool closes = false)
      : answer_(std::move(answer)),
        closes_(closes),
        fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(bind(fd_, raw, size) == 0);
    REQUIRE(listen(fd_, 8) == 0);
    REQUIRE(getsockname(fd_, raw, &size) == 0);
    port_ = std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] { Serve(); });
  }
  ~HeadReader() {
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    for (const int one : open_) close(one);
    close(fd_);
  }

  const std::string& port() const { return port_; }

 private:
  void Serve() {
    for (;;) {
      const int one = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (one < 0) return;
      std::string head;
      for (char c; head.find("\r\n\r\n") == std::string::npos && recv(one, &c, 1, 0) == 1;)
        head += c;
      send(one, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      if (closes_) {
        close(one);
      } else {
        open_.push_back(one);
      }
    }
  }

  const std::string answer_;
  const bool closes_;
  const int fd_;
  std::string port_;
  std::vector<int> open_;
  std::thread thread_;
};

struct Rig {
  explicit Rig(const std::string& answer, bool closes = false, HttpPatience patience = {})
      : maker(loop), sweep(loop), server(answer, closes) {
    HttpOptions options{.server = "deaf",
                        .url = *ParseServerUrl("http://127.0.0.1:" + server.port() + "/mcp")};
    options.patience = patience;
    upstream = std::make_unique<HttpUpstream>(loop, sweep, std::move(options));
  }
  Task<absl::StatusOr<std::unique_ptr<Exchange>>> Forward(std::size_t bytes) {
    OutboundMessage message =
        co_await maker.Make(R"({"jsonrpc":"2.0","id":1,"method":"do/it","params":{"a":")" +
                            std::string(bytes, 'x') + "\"}}");
    co_return co_await upstream->Forward(message);
  }
  void Run(Task<void> (*test)(Rig*)) { RunUntilDone(loop, test(this)); }

  Loop loop;
  OutboundMaker maker;
  DeadlineSweep sweep;
  HeadReader server;
  std::unique_ptr<HttpUpstream> upstream;
};

const std::string kResult = R"({"jsonrpc":"2.0","id":1,"result":{}})";
std::string Answer(const std::string& status, const std::string& body) {
  return "HTTP/1.1 " + status +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

TEST_CASE("an answer is read although the server has not read the request",
          "[agent][http_upstream]") {
  const bool closes = GENERATE(false, true);
  Rig rig(Answer("200 OK", kResult), closes);
  rig.Run([](Rig* r) -> Task<void> {
    for (int i = 0; i < 2; ++i) {
      auto exchange = co_await r->Forward(kLarge);
      REQUIRE(exchange.ok());
      const auto answer = co_await (*exchange)->Next();
      REQUIRE(answer.ok());
      CHECK(answer->bytes == kResult);
    }
  });
}

TEST_CASE("a server that refuses a request before it has read it is heard",
          "[agent][http_upstream]") {
  Rig rig(Answer("413 Content Too Large", ""));
  rig.Run([](Rig* r) -> Task<void> {
    auto exchange = co_await r->Forward(kLarge);
    REQUIRE(exchange.ok());
    const absl::Status refused = (co_await (*exchange)->Next()).status();
    CHECK(std::string(refused.message()).find("HTTP 413") != std::string::npos);
  });
}

TEST_CASE("a request that is still going out can be cancelled", "[agent][http_upstream]") {
  Rig rig("");
  rig.Run([](Rig* r) -> Task<void> {
    auto exchange = co_await r->Forward(kLarge);
    REQUIRE(exchange.ok());
    (*exchange)->Cancel();
    CHECK(absl::IsCancelled((co_await (*exchange)->Next()).status()));
  });
}

TEST_CASE("a head that a server begins and does not end is given up", "[agent][http_upstream]") {
  const std::string begun = GENERATE("SSH-2.0-x\r\n", "HTTP/1.1 200 OK\r\nContent-Ty",
                                     "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n");
  Rig rig(begun, false, {.begun_head = absl::Milliseconds(10)});
  rig.Run([](Rig* r) -> Task<void> {
    auto exchange = co_await r->Forward(1);
    REQUIRE(exchange.ok());
    CHECK(absl::IsDeadlineExceeded((co_await (*exchange)->Next()).status()));
  });
}

}  // namespace
}  // namespace sallyport::agent
