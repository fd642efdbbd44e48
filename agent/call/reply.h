#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
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

  // Begins the answer as text/event-stream; comments keep it alive from then on. `mcp_session_id`
  // as above.
  virtual Task<void> Begin(std::string_view mcp_session_id) = 0;
  virtual bool has_begun() const = 0;
  // One message in one event. Only after Begin.
  virtual Task<void> Event(const RecordedMessage& message) = 0;
  // The end of the stream. Only after Begin.
  virtual Task<void> End() = 0;

  // From now on the stream begins by itself when nothing has been sent for 15 s, so that nobody on
  // the way takes the silence for death. `mcp_session_id` as above; it is kept by reference.
  virtual void BeginWhenSlow(const std::string& mcp_session_id) = 0;

  virtual bool is_gone() const = 0;
  // Calls `gone` once, when the client is seen to have gone, or at once where it was already; null:
  // call nobody any more. A client is watched while its answer is a stream, and from this call on.
  virtual void TellWhenGone(absl::AnyInvocable<void()> gone) = 0;
};

}  // namespace sallyport::agent
