#include "agent/upstream/first_contact.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "agent/upstream/http_upstream.h"
#include "agent/upstream/sse_upstream.h"
#include "common/denial.h"
#include "tests/fakes/outbound_maker.h"
#include "tests/fakes/raw_http_server.h"

namespace sallyport::agent {
namespace {

using types::v1::DenialReason;
using Reply = RawHttpServer::Reply;

const std::string kInitialize =
    R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{}}})";
const std::string kInitialized =
    R"({"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2024-11-05"}})";
const std::string kOlderStream =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" +
    HttpChunk("event: endpoint\ndata: /messages\n\n");

// A server that answers POST /mcp with `posted` and GET with `stream`; what is posted to the
// endpoint it answers there as an initialize.
struct Rig {
  Rig(std::string posted, std::string stream)
      : maker(loop), sweep(loop), server([=, this](const std::string& request) {
          if (request.starts_with("GET ")) return Reply{stream, false, true};
          if (request.starts_with("POST /messages ")) {
            server.Say(HttpChunk("data: " + kInitialized + "\n\n"));
            return Reply{HttpReply(202, "text/plain", "Accepted")};
          }
          return Reply{posted};
        }) {}
  void Open() {
    const auto options = [this] {
      return HttpOptions{.server = "found",
                         .url = *ParseServerUrl("http://127.0.0.1:" + server.port() + "/mcp")};
    };
    FirstContactOptions contact{.server = "found", .is_http = true, .found = found};
    contact.open_sse = [this, options] {
      return std::make_unique<SseUpstream>(loop, sweep, options());
    };
    if (*found == ServerProtocol::kSse) {
      contact.transport = contact.open_sse();
    } else {
      contact.transport = std::make_unique<HttpUpstream>(loop, sweep, options());
    }
    upstream = std::make_unique<FirstContact>(loop, std::move(contact));
  }
  Task<absl::StatusOr<UpstreamMessage>> Initialize() {
    OutboundMessage message = co_await maker.Make(kInitialize);
    auto exchange = co_await upstream->Forward(message);
    if (!exchange.ok()) co_return exchange.status();
    co_return co_await (*exchange)->Next();
  }
  // The request lines of what the server got.
  std::string lines() const {
    std::string out;
    for (const std::string& request : server.requests())
      out += request.substr(0, request.find(" HTTP/")) + "; ";
    return out;
  }
  void Run(Task<void> (*test)(Rig*)) { RunUntilDone(loop, test(this)); }

  Loop loop;
  OutboundMaker maker;
  DeadlineSweep sweep;
  RawHttpServer server;
  std::shared_ptr<ServerProtocol> found = std::make_shared<ServerProtocol>();
  std::unique_ptr<FirstContact> upstream;
};

Task<void> TurnsToSse(Rig* rig) {
  rig->Open();
  auto answer = co_await rig->Initialize();
  REQUIRE(answer.ok());
  CHECK(answer->bytes == kInitialized);
  CHECK(rig->lines() == "POST /mcp; POST /mcp; GET /mcp; POST /messages; ");
  OutboundMessage told =
      co_await rig->maker.Make(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
  CHECK((co_await rig->upstream->Send(told)).ok());
  co_await rig->upstream->Close();
  // The next session knows.
  rig->Open();
  CHECK((co_await rig->Initialize()).ok());
  CHECK(
      rig->lines() ==
      "POST /mcp; POST /mcp; GET /mcp; POST /messages; POST /messages; GET /mcp; POST /messages; ");
}
TEST_CASE("a server that refuses streamable HTTP is spoken to by HTTP+SSE, at once the next time",
          "[agent][first_contact]") {
  const int status = GENERATE(400, 404, 405);
  Rig rig(HttpReply(status, "text/plain", "no such thing"), kOlderStream);
  rig.Run(TurnsToSse);
}

Task<void> StaysStreamable(Rig* rig) {
  rig->Open();
  CHECK((co_await rig->Initialize()).ok());
  CHECK(rig->lines() == "POST /mcp; ");
}
TEST_CASE("a server that answers by streamable HTTP is not asked for more",
          "[agent][first_contact]") {
  Rig rig(JsonReply(kInitialized), kOlderStream);
  rig.Run(StaysStreamable);
}

Task<void> IsNotAskedAgain(Rig* rig) {
  rig->Open();
  CHECK_FALSE((co_await rig->Initialize()).ok());
  CHECK(rig->lines() == "POST /mcp; ");
}
TEST_CASE("any other failure is no reason to try another transport", "[agent][first_contact]") {
  const std::string posted =
      GENERATE(HttpReply(401, "text/plain", ""), HttpReply(403, "text/plain", ""),
               HttpReply(500, "text/plain", ""), HttpReply(302, "text/plain", ""),
               HttpReply(200, "text/html", ""), std::string("NOT HTTP AT ALL\r\n\r\n"));
  Rig rig(posted, kOlderStream);
  rig.Run(IsNotAskedAgain);
}

Task<void> IsRefusedTwice(Rig* rig) {
  rig->Open();
  auto answer = co_await rig->Initialize();
  CHECK(ReasonOf(answer.status()) == DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  CHECK(answer.status().message() == "the server answered HTTP 405");
  CHECK(rig->lines() == "POST /mcp; POST /mcp; GET /mcp; ");
  CHECK(*rig->found == ServerProtocol::kLegacy);
}
TEST_CASE("a server that refuses both is told of by the first refusal", "[agent][first_contact]") {
  Rig rig(HttpReply(405, "text/plain", ""), HttpReply(404, "text/plain", ""));
  rig.Run(IsRefusedTwice);
}

Task<void> ForgetsWhatFails(Rig* rig) {
  *rig->found = ServerProtocol::kSse;
  rig->Open();
  CHECK_FALSE((co_await rig->Initialize()).ok());
  rig->Open();
  CHECK((co_await rig->Initialize()).ok());
  CHECK(rig->lines() == "GET /mcp; POST /mcp; ");
}
TEST_CASE("a server that has learned streamable HTTP is found again", "[agent][first_contact]") {
  Rig rig(JsonReply(kInitialized), HttpReply(405, "text/plain", ""));
  rig.Run(ForgetsWhatFails);
}

}  // namespace
}  // namespace sallyport::agent
