#include "controlplane/rpc/connected_agents.h"

#include <catch2/catch.hpp>
#include <optional>

namespace sallyport::controlplane {
namespace {

TEST_CASE("a second stream of the same agent supersedes the first", "[rpc][connected_agents]") {
  ConnectedAgents agents;
  std::optional<ConnectedAgents::Stream> first(std::in_place, agents, "a");
  CHECK(agents.Has("a"));
  CHECK_FALSE(first->is_superseded());
  const ConnectedAgents::Stream other(agents, "b");
  std::optional<ConnectedAgents::Stream> second(std::in_place, agents, "a");
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
  std::optional<ConnectedAgents::Stream> first(std::in_place, agents, "a");
  const ConnectedAgents::Stream other(agents, "b");
  CHECK(first->beat() == 0);
  agents.NoteBeat("a", 7);
  agents.NoteBeat("a", 5);
  CHECK(first->beat() == 7);
  CHECK(other.beat() == 0);
  const ConnectedAgents::Stream second(agents, "a");
  CHECK(second.beat() == 0);
  // What was said to the second is not said back by the first.
  agents.NoteBeat("a", 9);
  CHECK(first->beat() == 0);
  CHECK(second.beat() == 9);
}

TEST_CASE("what an agent does not understand is known while its stream is there",
          "[rpc][connected_agents]") {
  ConnectedAgents agents;
  CHECK_FALSE(agents.NoteNotUnderstood("a", "policy p"));
  CHECK(agents.NotUnderstood("a").empty());
  {
    const ConnectedAgents::Stream stream(agents, "a");
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
