// A server's streams that end or break before the answer.
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "agent/loop/signal.h"
#include "agent/upstream/http_upstream.h"
#include "common/denial.h"
#include "tests/fakes/outbound_maker.h"
#include "tests/fakes/raw_http_server.h"

namespace sallyport::agent {
namespace {

using types::v1::DenialReason;
using Reply = RawHttpServer::Reply;

const std::string kRequest = R"({"jsonrpc":"2.0","id":7,"method":"do/it","params":{}})";
const std::string kResult = R"({"jsonrpc":"2.0","id":7,"result":{}})";

std::string Progress(int n) {
  return R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":)" +
         std::to_string(n) + "}}";
}
std::string Event(const std::string& data, const std::string& id = "") {
  return (id.empty() ? "" : "id: " + id + "\n") + "data: " + data + "\n\n";
}
const std::string kSseHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
// Said to its end, or the connection is cut after it.
Reply Whole(const std::string& events) { return {kSseHead + HttpChunk(events) + "0\r\n\r\n"}; }
Reply Cut(const std::string& events) { return {kSseHead + HttpChunk(events), true}; }

bool IsGet(const std::string& request) { return request.starts_with("GET "); }
bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Rig {
  explicit Rig(RawHttpServer::Script script) : maker(loop), sweep(loop), server(std::move(script)) {
    HttpOptions options{.server = "raw",
                        .url = *ParseServerUrl("http://127.0.0.1:" + server.port() + "/mcp")};
    options.headers = {{"Authorization", "Bearer held-credential"}};
    options.limits.max_bytes = 65536;
    options.listen_backoff = absl::Milliseconds(1);
    options.resume_backoff = absl::Milliseconds(1);
    upstream = std::make_unique<HttpUpstream>(loop, sweep, std::move(options));
  }
  Task<void> Take(std::string json) {
    const OutboundMessage message = co_await maker.Make(std::move(json));
    exchange = *co_await upstream->Forward(message);
    for (;;) {
      auto next = co_await exchange->Next();
      end = next.status();
      if (!next.ok()) break;
      messages.push_back(next->bytes);
      if (next->shape == Shape::kResponse) break;
    }
  }
  // All that the server says to a call.
  void Call(const std::string& json = kRequest) { RunUntilDone(loop, Take(json)); }
  int Posts() const {
    int posts = 0;
    for (const std::string& request : server.requests()) posts += IsGet(request) ? 0 : 1;
    return posts;
  }

  Loop loop;
  OutboundMaker maker;
  DeadlineSweep sweep;
  RawHttpServer server;
  std::unique_ptr<HttpUpstream> upstream;
  std::unique_ptr<Exchange> exchange;
  std::vector<std::string> messages;
  absl::Status end;
};

TEST_CASE("a stream that ends or breaks before its answer is taken up after its last event",
          "[agent][http_upstream]") {
  const bool is_cut = GENERATE(false, true);
  Rig rig([=](const std::string& request) {
    const auto say = [&](const std::string& events) {
      return is_cut ? Cut(events) : Whole(events);
    };
    if (!IsGet(request)) return say(Event("", "e1") + Event(Progress(1), "e2"));
    // What was cut off in the middle is told again.
    if (Has(request, "Last-Event-ID: e2\r\n")) return say(Event(Progress(2), "e3") + "id: e4\n");
    if (Has(request, "Last-Event-ID: e3\r\n")) return Whole(Event(Progress(3)) + Event(kResult));
    return Reply{HttpReply(400, "text/plain", "")};
  });
  rig.Call();
  CHECK(rig.end.ok());
  CHECK(rig.messages == std::vector{Progress(1), Progress(2), Progress(3), kResult});
  CHECK(rig.Posts() == 1);
  const std::string get = rig.server.requests()[1];
  CHECK(Has(get, "Accept: text/event-stream\r\n"));
  CHECK(Has(get, "Authorization: Bearer held-credential\r\n"));
}

TEST_CASE("a server that polls is waited for as long as it asks, as often as it likes",
          "[agent][http_upstream]") {
  int polls = 0;
  Rig rig([&](const std::string& request) {
    if (!IsGet(request)) return Whole("retry: 60\n" + Event("", "e1"));
    return ++polls < 8 ? Whole(": not yet\n\n") : Whole(Event(kResult));
  });
  const absl::Time start = absl::Now();
  rig.Call();
  CHECK(rig.messages == std::vector{kResult});
  CHECK(absl::Now() - start >= absl::Milliseconds(8 * 60));
  CHECK(rig.Posts() == 1);
}

TEST_CASE("a server that is not there for a while is asked again, and the call is not sent again",
          "[agent][http_upstream]") {
  int asked = 0;
  Rig rig([&](const std::string& request) {
    if (!IsGet(request)) return Cut(Event("", "e1"));
    switch (++asked) {
      case 1:
        return Reply{"", true};
      case 2:
        return Reply{HttpReply(503, "text/plain", "")};
      case 3:
        return Reply{HttpReply(409, "application/json", "{}")};
      default:
        return Whole(Event(kResult));
    }
  });
  rig.Call();
  CHECK(rig.messages == std::vector{kResult});
  CHECK(rig.Posts() == 1);
}

TEST_CASE("a stream that cannot be taken up gives upstream_lost, and the call is not sent again",
          "[agent][http_upstream]") {
  struct Case {
    std::string first;
    Reply later;
    std::size_t requests;
  };
  const auto [first, later, requests] = GENERATE(
      // No id, one that no field can carry, and one that the server took back.
      Case{Event(Progress(1)), {}, 1}, Case{Event(Progress(1), std::string(2000, 'x')), {}, 1},
      Case{Event(Progress(1), "\xc3\xa9"), {}, 1},
      Case{Event("", "e1") + "id:\n" + Event(Progress(1)), {}, 1},
      // The server does not have it, or says something else.
      Case{Event(Progress(1), "e1"), {HttpReply(400, "application/json", "{}")}, 2},
      Case{Event(Progress(1), "e1"), {HttpReply(405, "text/plain", "")}, 2},
      Case{Event(Progress(1), "e1"), {JsonReply(kResult)}, 2},
      // It is never there again.
      Case{Event(Progress(1), "e1"), {HttpReply(503, "text/plain", "")}, 6},
      Case{Event(Progress(1), "e1"), {"", true}, 6});
  Rig rig([first = first, later = later](const std::string& request) {
    return IsGet(request) ? later : Cut(first);
  });
  rig.Call();
  CHECK(rig.messages == std::vector{Progress(1)});
  CHECK(ReasonOf(rig.end) == DenialReason::DENIAL_REASON_UPSTREAM_LOST);
  CHECK(rig.server.requests().size() == requests);
  CHECK(rig.Posts() == 1);
}

TEST_CASE("what is no clean message on a stream that was taken up is upstream_invalid",
          "[agent][http_upstream]") {
  Rig rig([](const std::string& request) {
    return Whole(IsGet(request) ? Event(R"({"jsonrpc":"2.0","id":1,"result":{},"id":1})")
                                : Event("", "e1"));
  });
  rig.Call();
  CHECK(ReasonOf(rig.end) == DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
}

Task<void> CancelIt(Rig* rig, bool closes) {
  while (rig->server.requests().empty()) co_await Sleep(rig->loop, absl::Milliseconds(1));
  co_await Sleep(rig->loop, absl::Milliseconds(20));
  if (closes) {
    co_await rig->upstream->Close();
  } else {
    rig->exchange->Cancel();
  }
}

TEST_CASE("who waits for a stream to be taken up is woken by Cancel and by Close",
          "[agent][http_upstream]") {
  const bool closes = GENERATE(false, true);
  const bool is_hanging = GENERATE(false, true);
  Rig rig([=](const std::string& request) {
    if (!IsGet(request))
      return Whole((is_hanging ? "retry: 0\n" : "retry: 50000\n") + Event("", "e1"));
    return Reply{kSseHead, false, true};
  });
  rig.loop.Spawn(CancelIt(&rig, closes));
  const absl::Time start = absl::Now();
  rig.Call();
  CHECK(absl::Now() - start < absl::Seconds(10));
  CHECK(rig.end.code() == (closes ? absl::StatusCode::kUnavailable : absl::StatusCode::kCancelled));
}

TEST_CASE("an initialize has no stream to take up", "[agent][http_upstream]") {
  Rig rig([](const std::string&) { return Whole(Event("", "e1")); });
  rig.Call(
      R"({"jsonrpc":"2.0","id":7,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{}}})");
  CHECK(ReasonOf(rig.end) == DenialReason::DENIAL_REASON_UPSTREAM_LOST);
  CHECK(rig.server.requests().size() == 1);
}

Task<void> Listen(Rig* rig, std::size_t wanted) {
  const OutboundMessage message =
      co_await rig->maker.Make(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
  CHECK((co_await rig->upstream->Send(message)).ok());
  while (rig->messages.size() < wanted) {
    auto next = co_await rig->upstream->NextUnrelated();
    if (!next.ok()) break;
    rig->messages.push_back(next->bytes);
  }
  co_await rig->upstream->Close();
}

TEST_CASE("the server's own stream is taken up after its last event, or begun again without it",
          "[agent][http_upstream]") {
  Rig rig([](const std::string& request) {
    if (!IsGet(request)) return Reply{"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"};
    if (Has(request, "Last-Event-ID: e1\r\n")) return Cut(Event(Progress(2), "e2"));
    // Forgotten.
    if (Has(request, "Last-Event-ID: e2\r\n"))
      return Reply{HttpReply(400, "application/json", "{}")};
    return Cut("retry: 0\n" + Event(Progress(1), "e1"));
  });
  RunUntilDone(rig.loop, Listen(&rig, 3));
  CHECK(rig.messages == std::vector{Progress(1), Progress(2), Progress(1)});
}

}  // namespace
}  // namespace sallyport::agent
