#include "agent/listen/client_connection.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "agent/listen/http_listener.h"
#include "tests/fakes/http_client.h"
#include "tests/unit/agent/listen/listener_thread.h"

namespace sallyport::agent {

// Only the recorder can say that a message is recorded; this one is.
struct RecordPass {};

namespace {

constexpr EventId kPlace{.session = "9f86d081", .stream = 3, .n = 16};

RecordedMessage Message() { return RecordedMessage(RecordPass{}, UpstreamMessage{.bytes = "{}"}); }

// More than the kernel takes in of what nobody reads.
constexpr std::size_t kLongBytes = std::size_t{15} << 20;

// /remember says whether it was there before, /echo answers with the body, /refuse before it is
// read, /stream with a stream that stays open, /ids with one whose events have ids, /late after a
// while, /slow, /poll and /away never; /address with the client's; /long with a message that is
// gone as soon as it is being written.
class Service final : public HttpService {
 public:
  explicit Service(Loop& loop) : never_(loop) {}
  void OnBadHead(const ClientConnection&, HttpError) override {}
  Task<void> Serve(ClientConnection& connection) override {
    const std::string target(connection.request().target);
    if (target == "/refuse") {
      co_await connection.Answer(OwnAnswer{.status = 401, .body = "{}"});
    } else if (target == "/stream") {
      co_await connection.Begin({});
      Signal gone(loop());
      connection.TellWhenGone([&] { gone.Set(); });
      co_await gone.Wait();
      connection.TellWhenGone(nullptr);
      saw_client_go = true;
    } else if (target == "/ids") {
      co_await connection.Begin({.after = kPlace, .primes = true});
      co_await connection.Event(Message());
      co_await connection.Event(Message());
      co_await connection.End();
    } else if (target == "/long") {
      auto room = std::make_shared<int>();
      const std::weak_ptr<int> held = room;
      auto message = std::make_unique<RecordedMessage>(
          RecordPass{},
          UpstreamMessage{.bytes = std::string(kLongBytes, 'x'), .room = std::move(room)});
      co_await connection.Begin({});
      loop().Post([&] {
        message.reset();
        holds_room_of_long = !held.expired();
        is_long_gone = true;
      });
      co_await connection.Event(*message);
      holds_room_of_long = !held.expired();
      co_await connection.End();
    } else if (target == "/quick") {
      connection.EndWhenSilent({.after = kPlace, .primes = true});
      co_await connection.Answer(OwnAnswer{.body = "quick"});
    } else if (target == "/late") {
      co_await Sleep(loop(), absl::Milliseconds(100));
      co_await connection.Answer(OwnAnswer{.body = "late"});
    } else if (target == "/poll") {
      connection.EndWhenSilent({.after = kPlace, .primes = true});
      while (!connection.is_gone()) co_await Sleep(loop(), absl::Milliseconds(1));
      co_await connection.Event(Message());
      saw_client_go = true;
      co_await never_.Wait();
    } else if (target == "/away") {
      connection.EndWhenSilent({.after = kPlace, .primes = true});
      Signal gone(loop());
      connection.TellWhenGone([&] { gone.Set(); });
      co_await gone.Wait();
      connection.TellWhenGone(nullptr);
      saw_client_go = true;
    } else if (target == "/address") {
      co_await connection.Answer(OwnAnswer{.body = connection.client_address()});
    } else if (target == "/slow") {
      connection.BeginWhenSlow({.after = kPlace, .primes = true});
      co_await never_.Wait();
      co_await connection.Answer(OwnAnswer{.status = 204});
      if (connection.has_begun()) co_await connection.End();
    } else if (target == "/remember") {
      if (!co_await connection.ReadBody(1000)) co_return;
      const bool is_known = connection.known_token().caller != nullptr;
      CHECK(connection.is_head_approved() == is_known);
      connection.ApproveHead();
      connection.known_token().caller = std::make_shared<Caller>();
      co_await connection.Answer(OwnAnswer{.body = is_known ? "known" : "new"});
    } else if (co_await connection.ReadBody(1000)) {
      co_await connection.Answer(OwnAnswer{.body = connection.TakeBody()});
    }
  }
  Loop& loop() { return *loop_; }
  void Finish() { never_.Set(); }

  Loop* loop_ = nullptr;
  std::atomic<bool> saw_client_go = false;
  std::atomic<bool> is_long_gone = false;
  std::atomic<bool> holds_room_of_long = false;

 private:
  Signal never_;
};

std::string Post(const std::string& target, const std::string& body) {
  return "POST " + target +
         " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

struct Stage : ListenerThread {
  explicit Stage(ListenerOptions options = {}) : service(loop) {
    service.loop_ = &loop;
    Start(service, std::move(options));
  }
  ~Stage() {
    loop.Post([this] { service.Finish(); });
    Stop();
  }
  // The loop has dealt with all that was sent before.
  void Settle() const {
    HttpClient other(port);
    other.Send(Post("/echo", "x"));
    other.Read();
  }

  Service service;
};

TEST_CASE("a connection answers one request after the other, and each whole", "[agent][listen]") {
  Stage stage;
  HttpClient client(stage.port);
  client.Send(Post("/echo", "one") + Post("/echo", "two") + Post("/refuse", "three") +
              Post("/echo", "four"));
  CHECK(client.Read().body == "one");
  CHECK(client.Read().body == "two");
  CHECK(client.Read().status == 401);
  CHECK(client.Read().body == "four");
}

TEST_CASE("what is known of a token is forgotten with the head that said it", "[agent][listen]") {
  Stage stage;
  HttpClient client(stage.port);
  const auto ask = [&](const std::string& target, const std::string& fields,
                       const std::string& body) {
    client.Send("POST " + target + " HTTP/1.1\r\nHost: x\r\n" + fields +
                "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.Read().body;
  };
  CHECK(ask("/remember", "Authorization: Bearer a\r\n", "one") == "new");
  CHECK(ask("/remember", "Authorization: Bearer a\r\n", "two") == "known");
  CHECK(ask("/remember", "Authorization: Bearer a\r\n", "three") == "known");
  CHECK(ask("/remember", "Authorization: Bearer b\r\n", "three") == "new");
  CHECK(ask("/remember", "Authorization: Bearer b\r\nX: 1\r\n", "three") == "new");
  CHECK(ask("/remember", "", "three") == "new");
  CHECK(ask("/echo", "Authorization: Bearer a\r\n", "three") == "three");
  CHECK(ask("/remember", "Authorization: Bearer a\r\n", "three") == "new");
  HttpClient other(stage.port);
  other.Send(
      "POST /remember HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nContent-Length: "
      "3\r\n\r\none");
  CHECK(other.Read().body == "new");
}

TEST_CASE("a body over the limit is refused and the connection closed, before it is read",
          "[agent][listen]") {
  Stage stage;
  HttpClient client(stage.port);
  client.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");
  CHECK(client.Read().status == 413);
  CHECK(client.AwaitClose());
}

TEST_CASE("a large body that nobody will read does not hide the refusal", "[agent][listen]") {
  Stage stage;
  HttpClient client(stage.port);
  client.Send("POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n" +
              std::string(100000, 'x'));
  const auto refused = client.Read();
  CHECK(refused.status == 401);
  CHECK(refused.connection == "close");
  CHECK(client.AwaitClose());
}

TEST_CASE("a client that expects 100-continue gets it only when its body is wanted",
          "[agent][listen]") {
  Stage stage;
  HttpClient wanted(stage.port);
  wanted.Send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  wanted.Send("abc");
  const auto taken = wanted.Read();
  CHECK(taken.body == "abc");
  CHECK(taken.connection.empty());
  HttpClient refused(stage.port);
  refused.Send(
      "POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  const auto refusal = refused.Read();
  CHECK(refusal.status == 401);
  CHECK(refusal.connection == "close");
  CHECK(refused.AwaitClose());
}

TEST_CASE("bad framing is answered once and the connection closed", "[agent][listen]") {
  Stage stage;
  HttpClient client(stage.port);
  client.Send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: "
      "chunked\r\n\r\nabc");
  CHECK(client.Read().status == 400);
  CHECK(client.AwaitClose());
}

TEST_CASE("a head, a body and an idle connection that take too long are closed",
          "[agent][listen]") {
  Stage stage;
  HttpClient client(stage.port);
  absl::Duration limit;
  SECTION("head") {
    client.Send("POST /echo HTT");
    limit = absl::Seconds(10);
  }
  SECTION("body") {
    client.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na");
    limit = absl::Seconds(30);
  }
  SECTION("idle") {
    client.Send(Post("/echo", "x"));
    client.Read();
    limit = absl::Seconds(120);
  }
  stage.Settle();
  stage.clock.Advance(limit + absl::Seconds(1));
  CHECK(client.AwaitClose());
}

TEST_CASE("a stream is kept alive by comments, and a client that goes is noticed",
          "[agent][listen]") {
  Stage stage;
  {
    HttpClient client(stage.port);
    client.Send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(client.ReadUntil("").is_stream());
    stage.Settle();
    stage.clock.Advance(absl::Seconds(15));
    CHECK(client.ReadOn(":").body.starts_with(":"));
  }
  while (!stage.service.saw_client_go) std::this_thread::yield();
}

TEST_CASE("what a client sends ahead does not hide that it goes", "[agent][listen]") {
  Stage stage;
  const std::string ahead =
      GENERATE(std::string("\r\n"), std::string("G"), Post("/echo", "x"), std::string(60'000, 'x'));
  {
    HttpClient client(stage.port);
    SECTION("behind its request") {
      client.Send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n" + ahead);
      CHECK(client.ReadUntil("").is_stream());
    }
    SECTION("while it waits for its answer") {
      client.Send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
      CHECK(client.ReadUntil("").is_stream());
      client.Send(ahead);
    }
    stage.Settle();
    CHECK_FALSE(stage.service.saw_client_go);
  }
  while (!stage.service.saw_client_go) std::this_thread::yield();
}

TEST_CASE("an answer to HEAD says how long its body is and has none", "[agent][listen]") {
  Stage stage;
  HttpClient client(stage.port);
  client.Send("HEAD /refuse HTTP/1.1\r\nHost: x\r\n\r\n" + Post("/echo", "next"));
  CHECK(client.ReadUntil("").status == 401);
  CHECK(client.Read().body == "next");
  client.Send("HEAD /echo HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n\r\n");
  const auto refused = client.Read();
  CHECK(refused.status == 415);
  CHECK(refused.body.empty());
  CHECK(client.AwaitClose());
}

TEST_CASE("HTTP/1.0 is answered without chunks, and the connection closed", "[agent][listen]") {
  Stage stage;
  // All that comes until the agent closes.
  const auto all = [&](const std::string& bytes) {
    HttpClient client(stage.port);
    client.Send(bytes);
    return client.ReadBytes();
  };
  const std::string keep = " HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n";
  const std::string echo =
      all("POST /echo" + keep + "Content-Length: 3\r\n\r\nabc" + Post("/echo", "next"));
  CHECK(echo.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(echo.find("\r\nConnection: close\r\n") != std::string::npos);
  CHECK(echo.find("\r\nContent-Length: 3\r\n") != std::string::npos);
  CHECK(echo.ends_with("\r\n\r\nabc"));
  // Nothing is waited for, and nothing said, before the body.
  const std::string expects =
      all("POST /echo" + keep + "Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc");
  CHECK(expects.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(expects.ends_with("\r\n\r\nabc"));

  const std::string stream = all("GET /ids" + keep + "\r\n" + Post("/echo", "next"));
  CHECK(stream.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(stream.find("\r\nConnection: close\r\n") != std::string::npos);
  CHECK(stream.find("Transfer-Encoding") == std::string::npos);
  CHECK(stream.find("Content-Length") == std::string::npos);
  CHECK(
      stream.ends_with("\r\n\r\nid: 9f86d081-3-16\ndata: \n\nid: 9f86d081-3-17\ndata: {}\n\n"
                       "id: 9f86d081-3-18\ndata: {}\n\n"));
  CHECK(all("GET /poll" + keep + "\r\n")
            .ends_with("\r\n\r\nid: 9f86d081-3-16\nretry: 100\ndata: \n\n"));
  CHECK(all("POST /echo" + keep + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            .starts_with("HTTP/1.1 400 "));
  CHECK(all("GET /echo HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(all("GET /echo HTTP/1.2\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 505 "));
}

TEST_CASE("a stream of HTTP/1.0 is kept alive, and a client that goes is noticed",
          "[agent][listen]") {
  Stage stage;
  {
    HttpClient client(stage.port);
    client.Send("GET /stream HTTP/1.0\r\nHost: x\r\n\r\n");
    CHECK(client.ReadUntil("").is_stream());
    stage.Settle();
    CHECK_FALSE(stage.service.saw_client_go);
    stage.clock.Advance(absl::Seconds(15));
    CHECK(client.ReadOn("\n\n").body == ": ping\n\n");
  }
  while (!stage.service.saw_client_go) std::this_thread::yield();
}

TEST_CASE("a long event of HTTP/1.0 is whole", "[agent][listen]") {
  Stage stage;
  HttpClient client(stage.port);
  client.Send("GET /long HTTP/1.0\r\nHost: x\r\n\r\n");
  CHECK(client.Read().body.size() == kLongBytes + std::string("data: \n\n").size());
  CHECK(client.AwaitClose());
}

TEST_CASE("an answer that is slow to come begins as a stream by itself", "[agent][listen]") {
  Stage stage;
  HttpClient client(stage.port);
  client.Send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  stage.Settle();
  stage.clock.Advance(absl::Seconds(15));
  const auto answer = client.ReadUntil("\n\n");
  CHECK(answer.is_stream());
  CHECK(answer.body == "id: 9f86d081-3-16\ndata: \n\n");
}

TEST_CASE("a stream is primed and each of its events has the next id", "[agent][listen]") {
  Stage stage;
  HttpClient client(stage.port);
  client.Send("GET /ids HTTP/1.1\r\nHost: x\r\n\r\n" + Post("/echo", "x"));
  CHECK(client.Read().body ==
        "id: 9f86d081-3-16\ndata: \n\nid: 9f86d081-3-17\ndata: {}\n\n"
        "id: 9f86d081-3-18\ndata: {}\n\n");
  CHECK(client.Read().body == "x");
}

TEST_CASE("what is being written holds its room until the client has taken it", "[agent][listen]") {
  Stage stage;
  HttpClient client(stage.port);
  client.Send("GET /long HTTP/1.1\r\nHost: x\r\n\r\n");
  while (!stage.service.is_long_gone) std::this_thread::yield();
  CHECK(stage.service.holds_room_of_long);
  CHECK(client.Read().body.size() > kLongBytes);
  CHECK_FALSE(stage.service.holds_room_of_long);
}

TEST_CASE("a client that would rather come back is sent away when nothing has come for a moment",
          "[agent][listen]") {
  Stage stage;
  HttpClient client(stage.port);
  client.Send("GET /poll HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto answer = client.Read();
  CHECK(answer.is_stream());
  CHECK(answer.body == "id: 9f86d081-3-16\nretry: 100\ndata: \n\n");
  CHECK(client.AwaitClose());
  while (!stage.service.saw_client_go) std::this_thread::yield();
}

TEST_CASE(
    "a client that would rather come back gets an answer that is there, and keeps its "
    "connection",
    "[agent][listen]") {
  Stage stage;
  HttpClient client(stage.port);
  client.Send("GET /quick HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(client.Read().body == "quick");
  // The moment of the first request passes while the second is unanswered.
  client.Send("GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(client.Read().body == "late");
}

TEST_CASE("a client that is sent away while its going is watched for is let go of",
          "[agent][listen]") {
  Stage stage;
  HttpClient client(stage.port);
  client.Send("GET /away HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(client.Read().body == "id: 9f86d081-3-16\nretry: 100\ndata: \n\n");
  CHECK(client.AwaitClose());
  while (!stage.service.saw_client_go) std::this_thread::yield();
}

// "192.0.2.7" as the source.
std::string ProxyHeader(char command) {
  std::string header("\r\n\r\n\0\r\nQUIT\n", 12);
  return header + command + '\x11' + std::string("\x00\x0c", 2) +
         std::string("\xc0\x00\x02\x07\x0a\x00\x00\x01\x00\x50\x01\xbb", 12);
}

TEST_CASE("a trusted proxy says who the client is, in however many pieces", "[agent][listen]") {
  ListenerOptions options;
  options.trusted_proxies = {Network::Parse("127.0.0.0/8").value()};
  Stage stage(std::move(options));
  const std::string bytes = ProxyHeader('\x21') + "GET /address HTTP/1.1\r\nHost: x\r\n\r\n";
  HttpClient whole(stage.port);
  whole.Send(bytes);
  CHECK(whole.Read().body == "192.0.2.7");
  HttpClient cut(stage.port);
  for (const char byte : bytes) {
    cut.Send({&byte, 1});
    std::this_thread::yield();
  }
  CHECK(cut.Read().body == "192.0.2.7");
  // A health check of the proxy itself, and what is no proxy.
  HttpClient check(stage.port);
  check.Send(ProxyHeader('\x20'));
  CHECK(check.AwaitClose());
  HttpClient other(stage.port);
  other.Send("GET /address HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(other.Read().status == 0);
}

TEST_CASE("what no proxy is trusted to say is no request", "[agent][listen]") {
  Stage stage;
  HttpClient client(stage.port);
  client.Send(ProxyHeader('\x21') + "GET /address HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(client.Read().status == 400);
  HttpClient direct(stage.port);
  direct.Send("GET /address HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(direct.Read().body == "127.0.0.1");
}

TEST_CASE("a plain listener that others could reach is refused", "[agent][listen]") {
  Loop loop;
  FakeClock clock;
  ListenerOptions options;
  options.address = "0.0.0.0:0";
  CHECK(HttpListener::Create(loop, clock, std::move(options)).status().code() ==
        absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace sallyport::agent
