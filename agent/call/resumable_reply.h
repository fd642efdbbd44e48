#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "agent/call/event_store.h"
#include "agent/call/reply.h"
#include "agent/call/served_session.h"
#include "agent/http/message.h"
#include "agent/session/held.h"

namespace sallyport::agent {

// How the client of a request takes a stream.
struct StreamHabits {
  // It would rather have a stream than one complete answer.
  bool prefers_stream = false;
  // Of this request alone: at its initialize it preferred JSON. Then it means it, and comes back
  // when its stream has ended before the response.
  bool is_chosen = false;
  // It knows an event without data.
  bool can_be_primed = false;
};

// Whether the Accept fields of a request would rather have a stream than one complete answer.
bool PrefersStream(const HttpFields& fields);

// The answer to one request of an MCP session. It goes out on the connection that the request came
// on; once it is a stream, the session keeps what it carries, and a connection of the client's that
// takes the stream up gets the rest. A complete answer costs nothing of this.
class ResumableReply final : public Reply {
 public:
  // Both outlive it. `connection` is the reply of the request's own HTTP exchange.
  ResumableReply(McpConnection& session, Reply& connection, StreamHabits habits);
  // What the client has not got by now it can still come for.
  ~ResumableReply() override;
  ResumableReply(const ResumableReply&) = delete;
  ResumableReply& operator=(const ResumableReply&) = delete;

  Task<void> Answer(OwnAnswer answer) override { return connection_.Answer(std::move(answer)); }
  Task<void> Answer(const RecordedMessage& message, AnswerHead head) override;
  Task<void> Begin(StreamStart) override;
  bool has_begun() const override { return log_.has_value() || connection_.has_begun(); }
  // When nobody reads the stream any more it is kept until somebody does; this waits for nobody
  // then.
  Task<void> Event(const RecordedMessage& message) override;
  Task<void> End() override;
  void BeginWhenSlow(StreamStart) override;
  void EndWhenSilent(StreamStart start) override { connection_.EndWhenSilent(start); }
  bool is_gone() const override;
  bool may_return() const override;
  void TellWhenGone(absl::AnyInvocable<void()> changed) override;
  void Close() override { connection_.Close(); }

 private:
  Task<void> AnswerAsStream(const RecordedMessage& message);
  StreamStart Start() const;
  // Another connection of the client's has come for the stream, or has gone.
  void OnReader();
  StreamLog& Log();

  McpConnection& session_;
  Reply& connection_;
  const StreamHabits habits_;
  const std::uint64_t number_;
  // Empty while there is nothing to keep.
  std::optional<Held<StreamLog>> log_;
  // The client has been given a place to come back to.
  bool has_given_place_ = false;
  absl::AnyInvocable<void()> changed_;
};

}  // namespace sallyport::agent
