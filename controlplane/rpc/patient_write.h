#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"

struct grpc_call;

namespace sallyport::controlplane {

// How long a watcher may leave what it has been sent unread.
inline constexpr absl::Duration kReaderPatience = absl::Seconds(30);

// While it lives, a call may wait for its reader; then the call is cancelled, and its reader told
// RESOURCE_EXHAUSTED. gRPC itself waits for as long as the connection lives.
class ReaderPatience {
 public:
  ReaderPatience(grpc::ServerContext& context, absl::Duration patience);
  // The call is not cancelled any more.
  ~ReaderPatience();
  ReaderPatience(const ReaderPatience&) = delete;
  ReaderPatience& operator=(const ReaderPatience&) = delete;

  // Why what was written did not arrive: it is over, or the reader has gone (kCancelled).
  absl::Status WhyNotRead() const;

 private:
  // Of the alarm, which may ring for as long as it likes.
  struct Waiting;
  const absl::Duration patience_;
  const std::shared_ptr<Waiting> waiting_;
  grpc::Alarm alarm_;
};

// Writes one message of a stream to a reader who may be slow. Not OK: nothing more can be written.
template <class Response>
absl::Status PatientWrite(grpc::ServerContext& context, grpc::ServerWriter<Response>& writer,
                          const Response& response, absl::Duration patience = kReaderPatience) {
  const ReaderPatience limit(context, patience);
  return writer.Write(response) ? absl::OkStatus() : limit.WhyNotRead();
}

}  // namespace sallyport::controlplane
