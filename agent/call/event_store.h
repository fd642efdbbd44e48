#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/loop/loop.h"
#include "agent/loop/signal.h"
#include "agent/loop/task.h"
#include "agent/mcp/message.h"
#include "agent/session/held.h"

namespace sallyport::agent {

class StreamReader;

// The messages of one stream of an MCP session, as its client got them or is still to get them. A
// connection that breaks takes nothing with it: another one reads on from here.
class StreamLog final : public Holdable {
 public:
  StreamLog(Loop& loop, std::uint64_t number) : number_(number), changed_(loop), room_(loop) {}

  std::uint64_t number() const { return number_; }
  // The n of the newest message; 0: there has been none.
  std::uint64_t last() const { return first_ + kept_.size() - 1; }
  // Whether each message after `n` is still here.
  bool HasAllAfter(std::uint64_t n) const { return n + 1 >= first_ && n <= last(); }

  // There will be no more messages.
  bool is_closed() const { return is_closed_; }
  void Close();
  // A connection has taken all of it to the end.
  void set_delivered() { is_delivered_ = true; }

  // A connection reads it now; one has, ever.
  bool has_reader() const { return reader_ != nullptr; }
  bool had_reader() const { return had_reader_; }
  // Until its reader has room for more, or is gone. At once when there is none.
  Task<void> WaitForRoom();

  // Set by whatever its reader should look at.
  Signal& changed() { return changed_; }
  // Called when a reader comes or goes. Null: nobody is.
  void set_watcher(std::function<void()> watcher) { watcher_ = std::move(watcher); }

 private:
  friend class EventStore;
  friend class StreamReader;
  // No reader is still to get its oldest message.
  bool MayDrop() const;
  void SetReader(StreamReader* reader);

  const std::uint64_t number_;
  // The n of kept_[0].
  std::uint64_t first_ = 1;
  std::deque<RecordedMessage> kept_;
  std::size_t bytes_ = 0;
  // The highest n that a reader has taken.
  std::uint64_t taken_ = 0;
  bool is_closed_ = false;
  bool is_delivered_ = false;
  StreamReader* reader_ = nullptr;
  bool had_reader_ = false;
  std::function<void()> watcher_;
  Signal changed_;
  Signal room_;
  absl::Duration forget_at_ = absl::InfiniteDuration();
  // The n of a newest message that is long, and until when it is kept.
  std::uint64_t long_n_ = 0;
  absl::Duration long_until_ = absl::ZeroDuration();
};

// One connection's way through a log. There is one at a time: a client that comes back before its
// old connection is seen to be dead displaces it.
class StreamReader {
 public:
  // Reads what comes after `n`.
  StreamReader(StreamLog& log, std::uint64_t n);
  // Reads what no reader has taken yet.
  explicit StreamReader(StreamLog& log);
  ~StreamReader();
  StreamReader(const StreamReader&) = delete;
  StreamReader& operator=(const StreamReader&) = delete;

  bool is_displaced() const { return log_->reader_ != this; }
  // The next message, to be used before anything else happens. Null: there is none yet.
  const RecordedMessage* Next();
  std::uint64_t n() const { return n_; }
  // Until changed() is set.
  Task<void> Wait();

 private:
  friend class StreamLog;
  const Held<StreamLog> log_;
  std::uint64_t n_;
};

struct EventLimits {
  // Of one stream, and of all streams of an MCP session. The newest message always fits.
  std::size_t stream_events = 256;
  std::size_t stream_bytes = std::size_t{1} << 20;
  std::size_t events = 1024;
  std::size_t bytes = std::size_t{4} << 20;
  std::size_t streams = 256;
  // How long a stream is kept that a connection has taken to its end.
  absl::Duration kept_when_delivered = absl::Seconds(60);
  // How long a newest message is kept that is longer than a stream's bytes, unless a reader is
  // still to take it. It holds room that its principal's other messages want.
  absl::Duration kept_when_long = absl::Seconds(20);
};

// The streams of one MCP session, so that its client can take up what was cut off. Over the limits
// the oldest stream is forgotten first: of those that somebody has taken to the end, then of those
// that are complete, then of those that still grow. On the loop's thread.
class EventStore {
 public:
  explicit EventStore(Loop& loop, EventLimits limits = {}) : loop_(loop), limits_(limits) {}

  // A number for the stream that the answer to a request may become, until Release: then what there
  // is of it is complete. Nothing is kept for it before it is asked for.
  std::uint64_t Reserve();
  void Release(std::uint64_t number);

  // Null: there is no such stream, or nothing of it yet.
  StreamLog* Find(std::uint64_t number);
  // Made if need be.
  StreamLog& Log(std::uint64_t number);
  // The stream `number`, if all that came after its message `n` is still here.
  // MESSAGE_INVALID: no client was ever given that place. LIMIT_EXCEEDED: it is forgotten.
  absl::StatusOr<StreamLog*> FindAfter(std::uint64_t number, std::uint64_t n);

  void Append(StreamLog& log, RecordedMessage message);

  // Forgets what is kept for too long. About once a second; `now` is of CLOCK_BOOTTIME.
  void Sweep(absl::Duration now);

  std::size_t events() const { return events_; }
  std::size_t bytes() const { return bytes_; }

 private:
  void DropOldest(StreamLog& log);
  void DropAll(StreamLog& log);
  void DropLong(StreamLog& log, absl::Duration now);
  bool IsOverLimits(const StreamLog& newest) const;
  // False: nothing can go but `newest`.
  bool ForgetOne(StreamLog& newest);

  Loop& loop_;
  const EventLimits limits_;
  // By number, so by age.
  std::map<std::uint64_t, StreamLog> logs_;
  std::vector<std::uint64_t> reserved_;
  std::uint64_t last_number_ = 0;
  std::size_t events_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace sallyport::agent
