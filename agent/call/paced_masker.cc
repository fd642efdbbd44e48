#include "agent/call/paced_masker.h"

#include <cstddef>
#include <optional>

#include "common/status_macros.h"
#include "common/turns.h"

namespace sallyport::agent {
namespace {

// Text that is made to be slow takes some 0.2 ms a KiB, any other a tenth of that; a thread is
// begun in a twentieth of a millisecond.
constexpr std::size_t kLongBytes = std::size_t{64} << 10;

using ClientMessagePtr = std::shared_ptr<const ClientMessage>;

absl::StatusOr<MaskedMessage> MaskWith(Masker& masker, UpstreamMessage message,
                                       const SessionMask& mask) {
  return masker.Mask(std::move(message), mask);
}

absl::StatusOr<MaskedRequest> MaskRequestWith(Masker& masker, ClientMessagePtr message,
                                              const SessionMask& mask) {
  return masker.MaskRequest(std::move(message), mask);
}

ShownRequest ShowWith(Masker& masker, ClientMessagePtr message, const SessionMask& mask) {
  return masker.Show(std::move(message), mask);
}

}  // namespace

absl::StatusOr<std::unique_ptr<PacedMasker>> PacedMasker::Create(
    Loop& loop, const std::shared_ptr<const MaskEngine>& engine) {
  ASSIGN_OR_RETURN(auto here, Masker::Create(engine));
  ASSIGN_OR_RETURN(auto apart, Masker::Create(engine));
  return std::unique_ptr<PacedMasker>(new PacedMasker(loop, std::move(here), std::move(apart)));
}

template <class Result, class Message>
Task<Result> PacedMasker::Apart(PacedMasker& self,
                                Result (*work)(Masker&, Message, const SessionMask&),
                                Message message, SessionMask mask) {
  while (self.is_busy_) {
    self.free_.Reset();
    co_await self.free_.Wait();
  }
  self.is_busy_ = true;
  // The thread has ended before the loop destroys this frame.
  std::optional<Result> result;
  Signal done(self.loop_);
  self.loop_.RunElsewhere(
      [&result, &message, &mask, work, masker = self.apart_] {
        TakeFewerTurns();
        result.emplace(work(*masker, std::move(message), mask));
      },
      [&done] { done.Set(); });
  co_await done.Wait();
  self.is_busy_ = false;
  self.free_.Set();
  co_return *std::move(result);
}

Task<absl::StatusOr<MaskedMessage>> PacedMasker::Mask(UpstreamMessage message,
                                                      const SessionMask& mask) {
  using Masked = absl::StatusOr<MaskedMessage>;
  if (message.bytes.size() <= kLongBytes) {
    return Task<Masked>(here_->Mask(std::move(message), mask));
  }
  return Apart<Masked>(*this, MaskWith, std::move(message), mask);
}

Task<absl::StatusOr<MaskedRequest>> PacedMasker::MaskRequest(ClientMessagePtr message,
                                                             const SessionMask& mask) {
  using Masked = absl::StatusOr<MaskedRequest>;
  if (message->bytes.size() <= kLongBytes) {
    return Task<Masked>(here_->MaskRequest(std::move(message), mask));
  }
  return Apart<Masked>(*this, MaskRequestWith, std::move(message), mask);
}

Task<ShownRequest> PacedMasker::Show(ClientMessagePtr message, const SessionMask& mask) {
  if (message->bytes.size() <= kLongBytes) {
    return Task<ShownRequest>(here_->Show(std::move(message), mask));
  }
  return Apart<ShownRequest>(*this, ShowWith, std::move(message), mask);
}

}  // namespace sallyport::agent
