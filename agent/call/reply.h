#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "agent/call/event_id.h"
#include "agent/loop/task.h"
#include "agent/mcp/message.h"

namespace sallyport::agent {

// A complete HTTP answer in our own words: a refusal, an acceptance, metadata. Never a byte that a
// server sent.
struct OwnAnswer {
  int status = 200;
  // application/json unless `headers` say otherwise.
  std::string body;
  // Beside Content-Type, Content-Length and Cache-Control.
  std::vector<std::pair<std::string, std::string>> headers;
};

// What the head of an answer that is one message says beside its length.
struct AnswerHead {
  int status = 200;
  // Mcp-Session-Id; left out where it is empty.
  std::string_view mcp_session_id = {};
};

// How a stream of events begins.
struct StreamStart {
  // The events are called what follows this one. nullopt: they have no ids.
  std::optional<EventId> after;
  // It begins with an event of that id and no data: a client that is cut off before the first
  // message then knows what to come back with.
  bool primes = false;
};

// The client's side of one HTTP request: exactly one answer, complete or as a stream. The only
// messages it takes are recorded ones. What is sent after the client has gone is dropped. A task
// ends when the kernel has taken the bytes, so that whoever sends feels a slow reader; at most one
// of them at a time. On the loop's thread.
class Reply {
 public:
  virtual ~Reply() = default;

  // A complete answer. Once, and not after Begin.
  virtual Task<void> Answer(OwnAnswer answer) = 0;
  // The message as application/json. Once, and not after Begin.
  virtual Task<void> Answer(const RecordedMessage& message, AnswerHead head) = 0;

  // Begins the answer as text/event-stream; comments keep it alive from then on.
  virtual Task<void> Begin(StreamStart start) = 0;
  virtual bool has_begun() const = 0;
  // One message in one event. Only after Begin.
  virtual Task<void> Event(const RecordedMessage& message) = 0;
  // The end of the stream, which is empty if it has not begun.
  virtual Task<void> End() = 0;

  // From now on the stream begins by itself when nothing has been sent for 15 s, so that nobody on
  // the way takes the silence for death.
  virtual void BeginWhenSlow(StreamStart start) = 0;
  // For a client that would rather come back than wait: when nothing has been sent within a moment,
  // the answer is a stream that ends with its priming event, and the client has gone.
  virtual void EndWhenSilent(StreamStart start) = 0;

  // Whether it takes more than the answer: what the server, or we, say before it.
  virtual bool takes_news() const { return true; }

  // Nobody takes what is sent now.
  virtual bool is_gone() const = 0;
  // Who has gone may come back for what is sent meanwhile.
  virtual bool may_return() const { return false; }
  // Calls `changed` when the client is seen to have gone, or to be back, and at once where it has
  // gone already; null: call nobody any more. A client is watched while its answer is a stream, and
  // from this call on.
  virtual void TellWhenGone(absl::AnyInvocable<void()> changed) = 0;
  // Cuts the connection: its client is there on another one.
  virtual void Close() = 0;
};

}  // namespace sallyport::agent
