#include "controlplane/rpc/connected_agents.h"

#include <catch2/catch.hpp>
#include <optional>
#include <string>

#include "absl/time/clock.h"

namespace sallyport::controlplane {
namespace {

ConnectedAgents::Process AProcess(const std::string& instance = "first") {
  return {.instance = instance, .address = "10.0.0." + std::to_string(instance.size())};
}

TEST_CASE("a second stream of the same agent supersedes the first", "[rpc][connected_agents]") {
  ConnectedAgents agents;
  std::optional<ConnectedAgents::Stream> first(std::in_place, agents, "a", AProcess(), absl::Now());
  CHECK(agents.Has("a"));
  CHECK_FALSE(first->is_superseded());
  const ConnectedAgents::Stream other(agents, "b", AProcess(), absl::Now());
  std::optional<ConnectedAgents::Stream> second(std::in_place, agents, "a", AProcess(),
                                                absl::Now());
  CHECK(first->is_superseded());
  CHECK_FALSE(second->is_superseded());
  CHECK_FALSE(other.is_superseded());
  // The end of the first leaves the second connected.
  first.reset();
  CHECK(agents.Has("a"));
  second.reset();
  CHECK_FALSE(agents.Has("a"));
  CHECK(agents.size() == 1);
}

TEST_CASE("a stream has the beats that came since it began, the latest of them",
          "[rpc][connected_agents]") {
  ConnectedAgents agents;
  agents.NoteBeat("a", 1);
  std::optional<ConnectedAgents::Stream> first(std::in_place, agents, "a", AProcess(), absl::Now());
  const ConnectedAgents::Stream other(agents, "b", AProcess(), absl::Now());
  CHECK(first->beat() == 0);
  agents.NoteBeat("a", 7);
  agents.NoteBeat("a", 5);
  CHECK(first->beat() == 7);
  CHECK(other.beat() == 0);
  const ConnectedAgents::Stream second(agents, "a", AProcess(), absl::Now());
  CHECK(second.beat() == 0);
  // What was said to the second is not said back by the first.
  agents.NoteBeat("a", 9);
  CHECK(first->beat() == 0);
  CHECK(second.beat() == 9);
}

TEST_CASE("two processes with one agent's key are told of when one of them is back",
          "[rpc][connected_agents]") {
  ConnectedAgents agents;
  absl::Time now = absl::Now();
  // The address of the other one, where there is one to tell of.
  const auto connect = [&](const std::string& instance, const std::string& agent = "a") {
    const ConnectedAgents::Stream stream(agents, agent, AProcess(instance), now);
    return stream.other().has_value() ? stream.other()->address : "";
  };
  CHECK(connect("first").empty());
  CHECK(connect("first").empty());
  // It was started anew, and again.
  CHECK(connect("second").empty());
  CHECK(connect("second").empty());
  CHECK(connect("third").empty());
  CHECK(connect("first", "b").empty());
  CHECK(agents.CopySeenAt("a") == absl::InfinitePast());
  SECTION("once in an hour") {
    CHECK(connect("second") == "10.0.0.5");
    CHECK(agents.CopySeenAt("a") == now);
    CHECK(agents.CopySeenAt("b") == absl::InfinitePast());
    now += absl::Minutes(59);
    CHECK(connect("third").empty());
    CHECK(agents.CopySeenAt("a") == now);
    now += absl::Minutes(1);
    CHECK(connect("second") == "10.0.0.5");
  }
  SECTION("of several") { CHECK(connect("first") == "10.0.0.5"); }
  SECTION("not of who says nothing of itself") {
    CHECK(connect("").empty());
    CHECK(connect("third").empty());
    CHECK(connect("").empty());
  }
}

TEST_CASE("what an agent does not understand is known while its stream is there",
          "[rpc][connected_agents]") {
  ConnectedAgents agents;
  CHECK_FALSE(agents.NoteNotUnderstood("a", "policy p"));
  CHECK(agents.NotUnderstood("a").empty());
  {
    const ConnectedAgents::Stream stream(agents, "a", AProcess(), absl::Now());
    CHECK_FALSE(agents.NoteNotUnderstood("a", ""));
    CHECK(agents.NoteNotUnderstood("a", "policy p"));
    CHECK_FALSE(agents.NoteNotUnderstood("a", "policy p"));
    CHECK(agents.NotUnderstood("a") == "policy p");
    CHECK(agents.NoteNotUnderstood("a", ""));
    agents.NoteNotUnderstood("a", "policy q");
  }
  CHECK(agents.NotUnderstood("a").empty());
}

}  // namespace
}  // namespace sallyport::controlplane
