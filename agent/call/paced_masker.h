#pragma once

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "agent/loop/loop.h"
#include "agent/loop/signal.h"
#include "agent/loop/task.h"
#include "agent/mask/json_masker.h"

namespace sallyport::agent {

// Masks messages as Masker does, and keeps nobody waiting for a long one: that is masked on a
// thread of its own, one after the other, while the loop goes on. On the loop's thread.
class PacedMasker {
 public:
  // As Masker::Create. `loop` outlives it, and does not run any more once it has gone.
  static absl::StatusOr<std::unique_ptr<PacedMasker>> Create(
      Loop& loop, const std::shared_ptr<const MaskEngine>& engine);

  // For what is short: refusals, names, what people are shown.
  Masker& at_once() { return *here_; }

  // As the Masker's. `mask` need not outlive the call.
  Task<absl::StatusOr<MaskedMessage>> Mask(UpstreamMessage message, const SessionMask& mask);
  Task<absl::StatusOr<MaskedRequest>> MaskRequest(std::shared_ptr<const ClientMessage> message,
                                                  const SessionMask& mask);
  Task<ShownRequest> Show(std::shared_ptr<const ClientMessage> message, const SessionMask& mask);

 private:
  PacedMasker(Loop& loop, std::unique_ptr<Masker> here, std::shared_ptr<Masker> apart)
      : loop_(loop), here_(std::move(here)), apart_(std::move(apart)), free_(loop) {}

  template <class Result, class Message>
  static Task<Result> Apart(PacedMasker& self, Result (*work)(Masker&, Message, const SessionMask&),
                            Message message, SessionMask mask);

  Loop& loop_;
  const std::unique_ptr<Masker> here_;
  // Of the thread that masks just now.
  const std::shared_ptr<Masker> apart_;
  bool is_busy_ = false;
  Signal free_;
};

}  // namespace sallyport::agent
