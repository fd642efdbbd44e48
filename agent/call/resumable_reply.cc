#include "agent/call/resumable_reply.h"

#include <utility>

namespace sallyport::agent {

bool PrefersStream(const HttpFields& fields) {
  return Prefers(fields, "text/event-stream", "application/json");
}

ResumableReply::ResumableReply(McpConnection& session, Reply& connection, StreamHabits habits)
    : session_(session),
      connection_(connection),
      habits_(habits),
      number_(session.events().Reserve()) {}

ResumableReply::~ResumableReply() {
  if (log_) (*log_)->set_watcher(nullptr);
  if (changed_ != nullptr) connection_.TellWhenGone(nullptr);
  session_.events().Release(number_);
}

StreamStart ResumableReply::Start() const {
  return {.after = EventId{session_.record_tag(), number_, 0}, .primes = habits_.can_be_primed};
}

StreamLog& ResumableReply::Log() {
  if (!log_) {
    StreamLog& log = *log_.emplace(session_.events().Log(number_));
    log.set_watcher([this] { OnReader(); });
    if (log.had_reader()) OnReader();
  }
  return **log_;
}

// What is being written to the old connection must not keep the new one waiting.
void ResumableReply::OnReader() {
  if ((*log_)->has_reader()) connection_.Close();
  if (changed_ != nullptr) changed_();
}

Task<void> ResumableReply::Answer(const RecordedMessage& message, AnswerHead head) {
  return habits_.prefers_stream ? AnswerAsStream(message) : connection_.Answer(message, head);
}

Task<void> ResumableReply::AnswerAsStream(const RecordedMessage& message) {
  co_await Begin({});
  co_await Event(message);
  co_await End();
}

Task<void> ResumableReply::Begin(StreamStart) {
  Log();
  co_await connection_.Begin(Start());
}

Task<void> ResumableReply::Event(const RecordedMessage& message) {
  StreamLog& log = Log();
  session_.events().Append(log, message);
  if (log.had_reader()) {
    co_await log.WaitForRoom();
  } else {
    co_await connection_.Event(message);
    has_given_place_ = has_given_place_ || !connection_.is_gone();
  }
}

Task<void> ResumableReply::End() {
  if (has_begun()) {
    StreamLog& log = Log();
    log.Close();
    co_await connection_.End();
    if (!log.had_reader() && !connection_.is_gone()) log.set_delivered();
  } else {
    co_await connection_.End();
  }
}

void ResumableReply::BeginWhenSlow(StreamStart) {
  if (habits_.is_chosen && habits_.can_be_primed) {
    connection_.EndWhenSilent(Start());
  } else {
    connection_.BeginWhenSlow(Start());
  }
}

bool ResumableReply::is_gone() const {
  const StreamLog* log = session_.events().Find(number_);
  return log != nullptr && log->had_reader() ? !log->has_reader() : connection_.is_gone();
}

bool ResumableReply::may_return() const {
  const bool has_come_back = log_ && (*log_)->had_reader();
  return has_begun() && (habits_.can_be_primed || has_given_place_ || has_come_back);
}

void ResumableReply::TellWhenGone(absl::AnyInvocable<void()> changed) {
  changed_ = std::move(changed);
  if (changed_ == nullptr) {
    connection_.TellWhenGone(nullptr);
  } else {
    connection_.TellWhenGone([this] { changed_(); });
  }
}

}  // namespace sallyport::agent
