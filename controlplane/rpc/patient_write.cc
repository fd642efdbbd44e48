#include "controlplane/rpc/patient_write.h"

#include <grpc/grpc.h>

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"

namespace sallyport::controlplane {
namespace {

std::string WhyCut(absl::Duration patience) {
  return absl::StrCat("the reader has not read for ", absl::FormatDuration(patience));
}

}  // namespace

struct ReaderPatience::Waiting {
  absl::Mutex mutex;
  grpc_call* call ABSL_GUARDED_BY(mutex);  // null: nobody waits any more
  bool is_over ABSL_GUARDED_BY(mutex) = false;

  explicit Waiting(grpc_call* call) : call(call) {}
};

ReaderPatience::ReaderPatience(grpc::ServerContext& context, absl::Duration patience)
    : patience_(patience), waiting_(std::make_shared<Waiting>(context.c_call())) {
  alarm_.Set(absl::ToChronoTime(absl::Now() + patience),
             [waiting = waiting_, patience](bool has_rung) {
               const absl::MutexLock lock(&waiting->mutex);
               if (!has_rung || waiting->call == nullptr) return;
               waiting->is_over = true;
               // Unlike TryCancel it tells a reader who looks at last why.
               grpc_call_cancel_with_status(waiting->call, GRPC_STATUS_RESOURCE_EXHAUSTED,
                                            WhyCut(patience).c_str(), nullptr);
             });
}

ReaderPatience::~ReaderPatience() {
  const absl::MutexLock lock(&waiting_->mutex);
  waiting_->call = nullptr;
}

absl::Status ReaderPatience::WhyNotRead() const {
  const absl::MutexLock lock(&waiting_->mutex);
  return waiting_->is_over ? absl::ResourceExhaustedError(WhyCut(patience_))
                           : absl::CancelledError("the reader has gone");
}

}  // namespace sallyport::controlplane
