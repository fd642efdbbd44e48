#include "agent/call/session_table.h"

#include <catch2/catch.hpp>

#include "agent/session/session_key.h"
#include "tests/fakes/fake_clock.h"

namespace sallyport::agent {
namespace {

struct Stage {
  ServedSession& Add(const std::string& id, const std::string& address = "") {
    SessionFacts facts;
    facts.id = id;
    facts.server = "wiki";
    facts.principal.set_subject("bot");
    facts.client_address = address;
    facts.expires_at = clock.Now() + absl::Hours(1);
    facts.remaining = absl::Hours(1);
    facts.terms.mutable_idle_timeout()->set_seconds(600);
    return table.Add(std::make_unique<ServedSession>(loop, clock, facts, key));
  }
  McpConnection& Connect(ServedSession& session, const std::string& id) {
    auto connection = std::make_unique<McpConnection>(loop, id, ClientCapabilities{}, Era::kLegacy);
    McpConnection& added = *connection;
    table.AddConnection(session, std::move(connection));
    return added;
  }

  Loop loop;
  FakeClock clock;
  SessionTable table;
  std::string key = "bot at wiki";
};

TEST_CASE("a session is found by who may use it from where", "[agent][session]") {
  Stage stage;
  ServedSession& bound = stage.Add("ses_1", "192.0.2.1");
  CHECK(stage.table.Find(stage.key, "192.0.2.1") == &bound);
  CHECK(stage.table.Find(stage.key, "192.0.2.2") == nullptr);
  ServedSession& open = stage.Add("ses_2");
  CHECK(stage.table.Find(stage.key, "192.0.2.2") == &open);
  CHECK(stage.table.Find("somebody else", "192.0.2.2") == nullptr);
}

TEST_CASE("a session that has ended is found by nobody who wants to use it", "[agent][session]") {
  Stage stage;
  ServedSession& session = stage.Add("ses_1");
  session.live().End({types::v1::END_REASON_REVOKED, "x"});
  CHECK(stage.table.Find(stage.key, "") == nullptr);
  CHECK(stage.table.FindById("ses_1") == &session);
  CHECK(stage.table.live() == 0);
}

TEST_CASE("an MCP session that ended is remembered with its end", "[agent][session]") {
  Stage stage;
  ServedSession& session = stage.Add("ses_1");
  McpConnection& connection = stage.Connect(session, "m1");
  CHECK(stage.table.FindConnection("m1").connection == &connection);
  CHECK(stage.table.connections_of(session.principal_key()) == 1);
  stage.table.EndConnection(session, connection, "its client deleted it");
  CHECK(connection.is_over());
  CHECK(stage.table.FindConnection("m1").session == nullptr);
  REQUIRE(stage.table.FindEnded("m1") != nullptr);
  CHECK(stage.table.FindEnded("m1")->detail == "its client deleted it");
  CHECK(stage.table.FindEnded("m1")->principal_key == session.principal_key());
  CHECK(stage.table.FindEnded("m1")->reason == types::v1::DENIAL_REASON_SESSION_ENDED);
  McpConnection& other = stage.Connect(session, "m2");
  session.live().End({types::v1::END_REASON_REVOKED, "silent", /*is_stale=*/true});
  stage.table.EndConnection(session, other, "silent");
  CHECK(stage.table.FindEnded("m2")->reason == types::v1::DENIAL_REASON_SNAPSHOT_STALE);
}

TEST_CASE("only what is over and held by nobody is deleted", "[agent][session]") {
  Stage stage;
  ServedSession& session = stage.Add("ses_1");
  McpConnection& connection = stage.Connect(session, "m1");
  {
    const Held<ServedSession> held(session);
    const Held<McpConnection> held_connection(connection);
    session.live().End({types::v1::END_REASON_COMPLETED, "x"});
    stage.table.EndConnection(session, connection, "x");
    stage.table.Reap();
    CHECK(session.ended_connections.size() == 1);
    session.is_closed = true;
    stage.table.Reap();
    CHECK(stage.table.FindById("ses_1") == &session);
  }
  stage.table.Reap();
  CHECK(stage.table.empty());
  CHECK(stage.table.Find(stage.key, "") == nullptr);
}

TEST_CASE("messages for a stream wait, and the oldest is given up when too many do",
          "[agent][session]") {
  Stage stage;
  McpConnection& connection = stage.Connect(stage.Add("ses_1"), "m1");
  for (int i = 0; i < 256; ++i) {
    UpstreamMessage message;
    message.bytes = std::to_string(i);
    CHECK_FALSE(connection.Queue(std::move(message)).has_value());
  }
  const auto given_up = connection.Queue(UpstreamMessage{});
  REQUIRE(given_up.has_value());
  CHECK(given_up->bytes == "0");
  CHECK(connection.TakeQueued()->bytes == "1");
}

}  // namespace
}  // namespace sallyport::agent
