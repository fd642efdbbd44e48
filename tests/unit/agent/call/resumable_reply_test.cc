#include "agent/call/resumable_reply.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>

namespace sallyport::agent {

struct RecordPass {};

namespace {

// A connection whose client may go.
class Connection final : public Reply {
 public:
  Task<void> Answer(OwnAnswer) override { co_return; }
  Task<void> Answer(const RecordedMessage&, AnswerHead) override { co_return; }
  Task<void> Begin(StreamStart) override {
    begun = true;
    co_return;
  }
  bool has_begun() const override { return begun; }
  Task<void> Event(const RecordedMessage&) override { co_return; }
  Task<void> End() override { co_return; }
  void BeginWhenSlow(StreamStart) override {}
  void EndWhenSilent(StreamStart) override {}
  bool is_gone() const override { return gone; }
  void TellWhenGone(absl::AnyInvocable<void()>) override {}
  void Close() override {}

  bool begun = false;
  bool gone = false;
};

struct Rig {
  void Run(Task<void> task) {
    loop.Spawn(std::move(task));
    loop.RunReady();
  }
  void Say(Reply& reply) { Run(reply.Event(message)); }

  Loop loop;
  McpConnection session{loop, "session", ClientCapabilities{}, Era::kLegacy};
  Connection connection;
  const RecordedMessage message{RecordPass{}, UpstreamMessage{.bytes = "{}"}};
};

TEST_CASE("a client that was given a place comes back to it", "[agent][call]") {
  Rig rig;
  ResumableReply reply(rig.session, rig.connection, {});
  rig.Run(reply.Begin({}));
  CHECK_FALSE(reply.may_return());
  rig.Say(reply);
  rig.connection.gone = true;
  CHECK(reply.may_return());
}

TEST_CASE("a client that went before the first event knows of nothing to come back to",
          "[agent][call]") {
  Rig rig;
  ResumableReply reply(rig.session, rig.connection, {});
  rig.Run(reply.Begin({}));
  rig.connection.gone = true;
  rig.Say(reply);
  CHECK_FALSE(reply.may_return());
}

TEST_CASE("a client whose stream begins with an event of its own may always come back",
          "[agent][call]") {
  Rig rig;
  ResumableReply reply(rig.session, rig.connection, {.can_be_primed = true});
  CHECK_FALSE(reply.may_return());
  rig.Run(reply.Begin({}));
  rig.connection.gone = true;
  CHECK(reply.may_return());
}

}  // namespace
}  // namespace sallyport::agent
