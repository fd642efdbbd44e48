#include "agent/upstream/http_upstream.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <memory>
#include <optional>
#include <string>

#include "agent/loop/signal.h"
#include "agent/upstream/tls_client.h"
#include "common/denial.h"
#include "tests/fakes/outbound_maker.h"
#include "tests/fakes/raw_http_server.h"
#include "tests/fakes/temp_dir.h"
#include "tests/fakes/test_ca.h"

namespace sallyport::agent {
namespace {

using types::v1::DenialReason;
using Reply = RawHttpServer::Reply;

std::string Request(int id, std::string method = "do/it", std::string params = "{}") {
  return "{\"jsonrpc\":\"2.0\",\"id\":" + std::to_string(id) + ",\"method\":\"" + method +
         "\",\"params\":" + params + "}";
}
std::string Initialize() {
  return Request(1, "initialize",
                 "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"clientInfo\":{}}");
}
std::string Result(int id, std::string result = "{}") {
  return "{\"jsonrpc\":\"2.0\",\"id\":" + std::to_string(id) + ",\"result\":" + result + "}";
}
const std::string kSseHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

struct Rig {
  explicit Rig(RawHttpServer::Script script) : maker(loop), sweep(loop), server(std::move(script)) {
    Open();
  }
  void Open() {
    HttpOptions options{.server = "raw",
                        .url = *ParseServerUrl("http://127.0.0.1:" + server.port() + "/mcp")};
    options.headers = {{"Authorization", "Bearer held-credential"}};
    options.limits.max_bytes = 65536;
    options.listen_backoff = absl::Milliseconds(10);
    options.exchange_timeout = exchange_timeout;
    options.idle_timeout = idle_timeout;
    upstream = std::make_unique<HttpUpstream>(loop, sweep, std::move(options));
  }
  Task<absl::StatusOr<std::unique_ptr<Exchange>>> Forward(std::string json) {
    OutboundMessage message = co_await maker.Make(std::move(json));
    co_return co_await upstream->Forward(message);
  }
  Task<absl::StatusOr<UpstreamMessage>> Call(std::string json) {
    auto exchange = co_await Forward(std::move(json));
    if (!exchange.ok()) co_return exchange.status();
    for (;;) {
      auto next = co_await (*exchange)->Next();
      if (!next.ok() || next->shape == Shape::kResponse) co_return next;
    }
  }
  Task<absl::Status> Send(std::string json) {
    OutboundMessage message = co_await maker.Make(std::move(json));
    co_return co_await upstream->Send(message);
  }
  void Run(Task<void> (*test)(Rig*)) { RunUntilDone(loop, test(this)); }

  absl::Duration exchange_timeout = absl::Hours(1);
  absl::Duration idle_timeout = absl::Seconds(4);
  Loop loop;
  OutboundMaker maker;
  DeadlineSweep sweep;
  RawHttpServer server;
  std::unique_ptr<HttpUpstream> upstream;
};

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// --- the good path

Task<void> AnswersAndReuses(Rig* rig) {
  for (int id = 1; id <= 3; ++id) {
    auto answer = co_await rig->Call(Request(id));
    REQUIRE(answer.ok());
    CHECK(answer->bytes == Result(id));
  }
  CHECK(rig->server.connections() == 1);
  std::string sent = rig->server.requests().front();
  CHECK(Has(sent, "POST /mcp HTTP/1.1\r\n"));
  CHECK(Has(sent, "Host: 127.0.0.1:" + rig->server.port() + "\r\n"));
  CHECK(Has(sent, "Authorization: Bearer held-credential\r\n"));
  CHECK(Has(sent, "Accept: application/json, text/event-stream\r\n"));
  CHECK(Has(sent, "\r\n\r\n" + Request(1)));
}
TEST_CASE("answers come back over one connection that is used again", "[agent][http_upstream]") {
  int id = 0;
  Rig rig([&](const std::string&) { return Reply{JsonReply(Result(++id))}; });
  rig.Run(AnswersAndReuses);
}

Task<void> KeepsTheSession(Rig* rig) {
  auto answer = co_await rig->Call(Initialize());
  REQUIRE(answer.ok());
  CHECK_FALSE(Has(rig->server.requests()[0], "Mcp-Session-Id"));
  CHECK((co_await rig->Call(Request(2))).ok());
  std::string second = rig->server.requests()[1];
  CHECK(Has(second, "Mcp-Session-Id: inner-session\r\n"));
  CHECK(Has(second, "MCP-Protocol-Version: 2025-06-18\r\n"));
  co_await rig->upstream->Close();
  std::string last = rig->server.requests()[2];
  CHECK(Has(last, "DELETE /mcp HTTP/1.1\r\n"));
  CHECK(Has(last, "Mcp-Session-Id: inner-session\r\n"));
  CHECK(ReasonOf((co_await rig->Call(Request(3))).status()) ==
        DenialReason::DENIAL_REASON_UPSTREAM_LOST);
  CHECK(rig->server.requests().size() == 3);
}
TEST_CASE("the server's session is kept inside and deleted at the end", "[agent][http_upstream]") {
  Rig rig([](const std::string& request) {
    if (Has(request, "initialize")) {
      return Reply{JsonReply(Result(1, "{\"protocolVersion\":\"2025-06-18\"}"),
                             "Mcp-Session-Id: inner-session\r\n")};
    }
    return Reply{JsonReply(Result(2))};
  });
  rig.Run(KeepsTheSession);
}

Task<void> ReadsAStream(Rig* rig) {
  OutboundMessage message = co_await rig->maker.Make(Request(1));
  auto exchange = co_await rig->upstream->Forward(message);
  REQUIRE(exchange.ok());
  CHECK((co_await (*exchange)->Next())->method == "notifications/progress");
  CHECK((co_await (*exchange)->Next())->bytes == Result(1));
  exchange->reset();
  // The stream's end came with its last event, so the connection is used again.
  CHECK((co_await rig->Call(Request(1))).ok());
  CHECK(rig->server.connections() == 1);
}
TEST_CASE("an event stream gives its messages one by one and ends with the answer",
          "[agent][http_upstream]") {
  Rig rig([](const std::string&) {
    return Reply{kSseHead +
                 HttpChunk(": hello\n\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/pro") +
                 HttpChunk("gress\",\"params\":{\"progressToken\":1,\"progress\":1}}\n\ndata: " +
                           Result(1) + "\n\n") +
                 "0\r\n\r\n"};
  });
  rig.Run(ReadsAStream);
}

const std::string kNobody =
    R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"what?"}})";

Task<void> PassesOver(Rig* rig) {
  CHECK((co_await rig->Call(Request(1))).ok());
  for (int i = 0; i < 3; ++i) CHECK_FALSE((co_await rig->upstream->NextUnrelated())->stray.empty());
}
TEST_CASE("an unclean notification and an answer to another request end no call",
          "[agent][http_upstream]") {
  Rig rig([](const std::string&) {
    return Reply{kSseHead +
                 HttpChunk("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
                           "progress\",\"params\":null}\n\n"
                           "data: {\"method\":\"notifications/message\",\"params\":{\"data\":"
                           "\"\\ud83d\"},\"jsonrpc\":\"2.0\"}\n\n"
                           "data: " +
                           Result(9) + "\n\ndata: " + Result(1) + "\n\n")};
  });
  rig.Run(PassesOver);
}

Task<void> RefusesSessionId(Rig* rig) {
  const auto answer = co_await rig->Call(Initialize());
  CHECK(ReasonOf(answer.status()) == DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
}
TEST_CASE("a session id of the server's that cannot be carried is refused, not forgotten",
          "[agent][http_upstream]") {
  const std::string id = GENERATE(std::string(8193, 'x'), std::string("a b"));
  Rig rig([=](const std::string&) {
    return Reply{JsonReply(Result(1, "{\"protocolVersion\":\"2025-06-18\"}"),
                           "Mcp-Session-Id: " + id + "\r\n")};
  });
  rig.Run(RefusesSessionId);
}

TEST_CASE("an event of another name and an error that answers nobody come before the answer",
          "[agent][http_upstream]") {
  const std::string before = GENERATE(
      std::string("event: ping\ndata: {\"t\":1}\n\n"),
      std::string("event: ping\ndata: 2026-11-26T00:00:00Z\n\nevent: x\ndata: " + Result(1) +
                  "\n\n"),
      "data: " + kNobody + "\n\n",
      std::string("data: {\"jsonrpc\":\"2.0\",\"error\":{\"code\":1,\"message\":\"\"}}\n\n"));
  INFO(before);
  Rig rig([=](const std::string&) {
    return Reply{kSseHead + HttpChunk(before + "data: " + Result(1, R"({"real":true})") + "\n\n") +
                 "0\r\n\r\n"};
  });
  rig.Run([](Rig* r) -> Task<void> {
    const auto answer = co_await r->Call(Request(1));
    REQUIRE(answer.ok());
    CHECK(answer->bytes == Result(1, R"({"real":true})"));
  });
}

Reply InBatches(const std::string& request, const std::string& version) {
  if (Has(request, "\"initialize\"")) {
    return Reply{JsonReply(Result(1, "{\"protocolVersion\":\"" + version + "\"}"))};
  }
  return Reply{JsonReply("[" + kNobody + "," + Result(2) +
                         ",{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}]")};
}
Task<void> TakesABatch(Rig* rig) {
  CHECK((co_await rig->Call(Initialize())).ok());
  auto exchange = co_await rig->Forward(Request(2));
  REQUIRE(exchange.ok());
  CHECK((co_await (*exchange)->Next())->method == "notifications/message");
  CHECK((co_await (*exchange)->Next())->bytes == Result(2));
  // An answer to somebody else's request is none in a batch either.
  CHECK(ReasonOf((co_await rig->Call(Request(3))).status()) ==
        DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  co_await rig->upstream->Close();
}
TEST_CASE("a server's batch is its messages, where the revision has batches",
          "[agent][http_upstream]") {
  Rig rig([](const std::string& request) { return InBatches(request, "2025-03-26"); });
  rig.Run(TakesABatch);
}
Task<void> RefusesABatch(Rig* rig) {
  CHECK((co_await rig->Call(Initialize())).ok());
  CHECK(ReasonOf((co_await rig->Call(Request(2))).status()) ==
        DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  co_await rig->upstream->Close();
}
TEST_CASE("a server's batch is no message where the revision has none", "[agent][http_upstream]") {
  Rig rig([](const std::string& request) { return InBatches(request, "2025-06-18"); });
  rig.Run(RefusesABatch);
}

Task<void> Listens(Rig* rig) {
  CHECK((co_await rig->Call(Initialize())).ok());
  CHECK(
      (co_await rig->Send("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}")).ok());
  auto stray = co_await rig->upstream->NextUnrelated();
  REQUIRE(stray.ok());
  CHECK(stray->stray == "the server's own stream carries an answer");
  CHECK(stray->bytes.empty());
  auto message = co_await rig->upstream->NextUnrelated();
  REQUIRE(message.ok());
  CHECK(message->stray.empty());
  CHECK(message->method == "notifications/tools/list_changed");
  // The stream ended, and was opened again.
  CHECK((co_await rig->upstream->NextUnrelated())->stray == stray->stray);
  CHECK((co_await rig->upstream->NextUnrelated())->method == message->method);
  co_await rig->upstream->Close();
  CHECK(ReasonOf((co_await rig->upstream->NextUnrelated()).status()) ==
        DenialReason::DENIAL_REASON_UPSTREAM_LOST);
}
TEST_CASE(
    "the server's own stream is listened to once the session is initialized, and again when it "
    "breaks",
    "[agent][http_upstream]") {
  Rig rig([](const std::string& request) {
    if (request.starts_with("GET ")) {
      return Reply{
          kSseHead +
              HttpChunk(
                  "event: ping\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n\ndata: " + kNobody +
                  "\n\ndata: "
                  "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n"),
          true};
    }
    if (Has(request, "initialized"))
      return Reply{"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"};
    return Reply{
        JsonReply(Result(1, "{\"protocolVersion\":\"2025-06-18\"}"), "Mcp-Session-Id: s\r\n")};
  });
  rig.Run(Listens);
}

Task<void> CallsTwice(Rig* rig) {
  CHECK((co_await rig->Call(Request(1))).ok());
  co_await Sleep(rig->loop, absl::Milliseconds(20));
  CHECK((co_await rig->Call(Request(1))).ok());
}
TEST_CASE("an answer that ends with its connection is taken where it is whole",
          "[agent][http_upstream]") {
  const std::string head = GENERATE("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n",
                                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n");
  const std::string length = "Content-Length: " + std::to_string(Result(1).size()) + "\r\n";
  const std::string end = GENERATE_COPY(std::string("\r\n"), length + "\r\n",
                                        "Connection: keep-alive\r\n" + length + "\r\n");
  INFO(head << end);
  Rig rig([=](const std::string&) { return Reply{head + end + Result(1), true}; });
  rig.Open();
  rig.Run(CallsTwice);
  CHECK(rig.server.connections() == 2);
}

TEST_CASE("a connection is kept for less than the server keeps it", "[agent][http_upstream]") {
  const auto [said, idle_timeout, connections] = GENERATE(table<std::string, absl::Duration, int>({
      {"", absl::Seconds(4), 1},
      {"", absl::Milliseconds(10), 2},
      {"Keep-Alive: timeout=5\r\n", absl::Milliseconds(10), 1},
      {"Keep-Alive: max=100, Timeout=5\r\n", absl::Milliseconds(10), 1},
      {"Keep-Alive: timeout=1\r\n", absl::Seconds(4), 2},
      {"Keep-Alive: timeout=0\r\n", absl::Seconds(4), 2},
      {"Keep-Alive: timeout=soon\r\n", absl::Seconds(4), 1},
  }));
  INFO(said);
  Rig rig([said = said](const std::string&) { return Reply{JsonReply(Result(1), said)}; });
  rig.idle_timeout = idle_timeout;
  rig.Open();
  rig.Run(CallsTwice);
  CHECK(rig.server.connections() == connections);
}

// --- forward once

Task<void> ReplacesADeadConnection(Rig* rig) {
  CHECK((co_await rig->Call(Request(1))).ok());
  rig->server.DropConnections();
  co_await Sleep(rig->loop, absl::ZeroDuration());
  CHECK((co_await rig->Call(Request(1))).ok());
  CHECK(rig->server.connections() == 2);
  CHECK(rig->server.requests().size() == 2);
}
TEST_CASE("a pooled connection that is dead before the first byte is replaced",
          "[agent][http_upstream]") {
  Rig rig([](const std::string&) { return Reply{JsonReply(Result(1))}; });
  rig.Run(ReplacesADeadConnection);
}

TEST_CASE("a server that does not take a request is given up", "[agent][http_upstream]") {
  Rig rig([](const std::string&) { return Reply{}; });
  // Nobody accepts what the kernel has.
  const int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(bind(listening, raw, size) == 0);
  REQUIRE(listen(listening, 1) == 0);
  REQUIRE(getsockname(listening, raw, &size) == 0);
  HttpOptions options{.server = "deaf",
                      .url = *ParseServerUrl(
                          "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/mcp")};
  options.patience.stalled_write = absl::Milliseconds(10);
  rig.upstream = std::make_unique<HttpUpstream>(rig.loop, rig.sweep, std::move(options));
  rig.Run([](Rig* r) -> Task<void> {
    const auto answer =
        co_await r->Call(Request(1, "do/it", "{\"a\":\"" + std::string(14'000'000, 'x') + "\"}"));
    CHECK(absl::IsDeadlineExceeded(answer.status()));
  });
  close(listening);
}

Task<void> NeverSendsTwice(Rig* rig) {
  auto answer = co_await rig->Call(Request(1));
  CHECK(answer.status().code() == absl::StatusCode::kUnavailable);
  CHECK(ReasonOf(answer.status()) == DenialReason::DENIAL_REASON_UPSTREAM_LOST);
  CHECK(rig->server.requests().size() == 1);
}
TEST_CASE("a server that closes without an answer gives upstream_lost and sees the request once",
          "[agent][http_upstream]") {
  std::string said = GENERATE(
      std::string(""), std::string("HTTP/1.1 200 OK\r\nContent-Ty"),
      std::string("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                  "500\r\n\r\n{\"jsonrpc\""),
      kSseHead + HttpChunk("data: {\"jsonrpc\":\"2.0\""), std::string(kSseHead + "0\r\n\r\n"));
  Rig rig([=](const std::string&) { return Reply{said, true}; });
  rig.Run(NeverSendsTwice);
}

TEST_CASE("a server that is not there gives upstream_lost, and no byte has gone out",
          "[agent][http_upstream]") {
  Rig rig([](const std::string&) { return Reply{}; });
  {
    RawHttpServer gone([](const std::string&) { return Reply{}; });
    HttpOptions options{.server = "gone",
                        .url = *ParseServerUrl("http://127.0.0.1:" + gone.port() + "/mcp")};
    rig.upstream = std::make_unique<HttpUpstream>(rig.loop, rig.sweep, std::move(options));
  }
  rig.Run([](Rig* r) -> Task<void> {
    OutboundMessage message = co_await r->maker.Make(Request(1));
    auto exchange = co_await r->upstream->Forward(message);
    CHECK(ReasonOf(exchange.status()) == DenialReason::DENIAL_REASON_UPSTREAM_LOST);
  });
}

// --- what is refused

Task<void> RefusesAsInvalid(Rig* rig) {
  auto answer = co_await rig->Call(Request(1));
  CHECK(answer.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(ReasonOf(answer.status()) == DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  CHECK_FALSE(Has(std::string(answer.status().message()), "held-credential"));
  CHECK(rig->server.requests().size() == 1);
}
TEST_CASE("an answer that is not one clean message gives upstream_invalid and shows no byte",
          "[agent][http_upstream]") {
  std::string said = GENERATE(
      JsonReply(Result(2)), JsonReply("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"result\":{}}"),
      JsonReply("{"), JsonReply(kNobody), JsonReply("[" + Result(1) + "]"), JsonReply(Request(1)),
      HttpReply(200, "text/html", "<p>held-credential</p>"),
      HttpReply(200, "application/json", Result(1), "Content-Encoding: gzip\r\n"),
      HttpReply(401, "application/json", "{\"echo\":\"held-credential\"}"),
      HttpReply(403, "text/plain", "held-credential"),
      HttpReply(302, "text/plain", "", "Location: http://169.254.169.254/\r\n"),
      HttpReply(204, "text/plain", ""),
      std::string("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                  "5\r\nContent-Length: 6\r\n\r\nhello"),
      std::string("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: gzip, "
                  "chunked\r\n\r\n0\r\n\r\n"),
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" +
          Result(1).substr(0, Result(1).size() - 1),
      std::string("NOT HTTP AT ALL\r\n\r\n"),
      "HTTP/1.1 200 OK\r\nX: " + std::string(40000, 'x') + "\r\n\r\n",
      kSseHead + HttpChunk("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"id\":1}\n\n"));
  INFO(said.substr(0, 100));
  Rig rig([=](const std::string&) { return Reply{said, true}; });
  rig.Run(RefusesAsInvalid);
}

Task<void> RefusesTooLarge(Rig* rig) {
  auto answer = co_await rig->Call(Request(1));
  CHECK(answer.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(rig->server.requests().size() == 1);
}
TEST_CASE("an answer longer than the message limit is refused, whole or in an event",
          "[agent][http_upstream]") {
  std::string big(70000, 'x');
  std::string said =
      GENERATE_COPY(JsonReply(Result(1, "{\"a\":\"" + big + "\"}")),
                    kSseHead + HttpChunk("data: " + Result(1, "{\"a\":\"" + big + "\"}") + "\n\n"));
  Rig rig([=](const std::string&) { return Reply{said, true}; });
  rig.Run(RefusesTooLarge);
}

Task<void> LosesTheSession(Rig* rig) {
  CHECK((co_await rig->Call(Initialize())).ok());
  CHECK(ReasonOf((co_await rig->Call(Request(2))).status()) ==
        DenialReason::DENIAL_REASON_UPSTREAM_LOST);
  CHECK(ReasonOf((co_await rig->Call(Request(3))).status()) ==
        DenialReason::DENIAL_REASON_UPSTREAM_LOST);
  CHECK(rig->server.requests().size() == 2);
}
TEST_CASE("a server that has forgotten the session ends it, and sees nothing more",
          "[agent][http_upstream]") {
  Rig rig([](const std::string& request) {
    if (Has(request, "initialize"))
      return Reply{JsonReply(Result(1, "{}"), "Mcp-Session-Id: s\r\n")};
    return Reply{HttpReply(404, "application/json", "{}")};
  });
  rig.Run(LosesTheSession);
}

// --- waiting

Task<void> TakeNext(Exchange* exchange, absl::Status* got, Signal* done) {
  *got = (co_await exchange->Next()).status();
  done->Set();
}
Task<void> WakesWaiters(Rig* rig) {
  OutboundMessage message = co_await rig->maker.Make(Request(1));
  for (auto expected : {absl::StatusCode::kCancelled, absl::StatusCode::kUnavailable}) {
    auto exchange = co_await rig->upstream->Forward(message);
    REQUIRE(exchange.ok());
    absl::Status got;
    Signal done(rig->loop);
    rig->loop.Spawn(TakeNext(exchange->get(), &got, &done));
    co_await Sleep(rig->loop, absl::ZeroDuration());
    if (expected == absl::StatusCode::kCancelled) {
      (*exchange)->Cancel();
    } else {
      co_await rig->upstream->Close();
    }
    co_await done.Wait();
    CHECK(got.code() == expected);
  }
}
TEST_CASE("who waits for an HTTP answer is woken by Cancel and by Close",
          "[agent][http_upstream]") {
  Rig rig([](const std::string&) { return Reply{"", false, true}; });
  rig.Run(WakesWaiters);
}

Task<void> TimesOut(Rig* rig) {
  auto answer = co_await rig->Call(Request(1));
  CHECK(answer.status().code() == absl::StatusCode::kDeadlineExceeded);
}
TEST_CASE("a server that never answers is given up after the exchange's time",
          "[agent][http_upstream]") {
  Rig rig([](const std::string&) { return Reply{"", false, true}; });
  rig.exchange_timeout = absl::Milliseconds(1);
  rig.Open();
  rig.Run(TimesOut);
}

// --- TLS

// A server with a certificate for `dns`, of a CA that the test keeps in a file.
struct TlsServer {
  explicit TlsServer(const std::string& dns)
      : key(GenerateKey()), context(SSL_CTX_new(TLS_server_method())) {
    std::ofstream(dir / "ca.pem") << ca.pem();
    auto leaf = CertificatesFromPem(ca.Issue(*key, {.dns = dns}));
    REQUIRE(leaf.ok());
    SSL_CTX_use_certificate(context, leaf->front().get());
    SSL_CTX_use_PrivateKey(context, key.get());
    server.emplace([](const std::string&) { return Reply{JsonReply(Result(1))}; }, context);
  }
  ~TlsServer() {
    server.reset();
    SSL_CTX_free(context);
  }
  TempDir dir;
  TestCa ca;
  PrivateKey key;
  SSL_CTX* context;
  std::optional<RawHttpServer> server;
};

Task<void> CallOverTls(Rig* rig, absl::Status* got) {
  *got = (co_await rig->Call(Request(1))).status();
  if (got->ok()) *got = (co_await rig->Call(Request(1))).status();
}

absl::Status CallTls(TlsServer& tls, const std::string& ca_file) {
  Rig rig([](const std::string&) { return Reply{}; });
  HttpOptions options{.server = "tls",
                      .url = *ParseServerUrl("https://localhost:" + tls.server->port() + "/mcp")};
  options.headers = {{"Authorization", "Bearer held-credential"}};
  auto context = MakeTlsClient(ca_file);
  REQUIRE(context.ok());
  options.tls = *context;
  rig.upstream = std::make_unique<HttpUpstream>(rig.loop, rig.sweep, std::move(options));
  absl::Status got;
  RunUntilDone(rig.loop, CallOverTls(&rig, &got));
  rig.upstream.reset();
  return got;
}

TEST_CASE("a server with a certificate for its name is spoken to over TLS",
          "[agent][http_upstream][tls]") {
  TlsServer tls("localhost");
  CHECK(CallTls(tls, tls.dir / "ca.pem").ok());
  CHECK(tls.server->requests().size() == 2);
  CHECK(tls.server->connections() == 1);
}

TEST_CASE("a certificate for another name, or of another CA, gets no byte of a request",
          "[agent][http_upstream][tls]") {
  TlsServer other("other.example.com");
  CHECK(ReasonOf(CallTls(other, other.dir / "ca.pem")) ==
        DenialReason::DENIAL_REASON_UPSTREAM_LOST);
  CHECK(other.server->requests().empty());
  TlsServer unknown("localhost");
  CHECK(ReasonOf(CallTls(unknown, "")) == DenialReason::DENIAL_REASON_UPSTREAM_LOST);
  CHECK(ReasonOf(CallTls(unknown, other.dir / "ca.pem")) ==
        DenialReason::DENIAL_REASON_UPSTREAM_LOST);
  CHECK(unknown.server->requests().empty());
  CHECK(MakeTlsClient("/no/such/ca.pem").status().code() == absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace sallyport::agent
