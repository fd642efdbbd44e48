#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "agent/loop/loop.h"
#include "agent/loop/signal.h"
#include "agent/loop/task.h"
#include "agent/mask/json_masker.h"

namespace sallyport::agent {

// Who waits for something that one can have at a time, in turns: one of each principal, and of one
// principal whoever came first.
class PrincipalTurns {
 public:
  // `turn` is set when it is its turn, and stays until then.
  void Add(std::string_view principal, Signal& turn);
  // Whose turn it is; null: nobody waits.
  Signal* Next();

 private:
  struct Waiting {
    std::string principal;
    std::deque<Signal*> turns;
  };
  // Whoever had the last turn stands at the end.
  std::deque<Waiting> waiting_;
  std::string last_;
};

// Masks messages as Masker does, and keeps nobody waiting for a long one: that is masked on a
// thread of its own, one after the other, while the loop goes on. Principals take turns, so that
// the long messages of one keep no other waiting for more than one of them. On the loop's thread.
class PacedMasker {
 public:
  // As Masker::Create. `loop` outlives it, and does not run any more once it has gone.
  static absl::StatusOr<std::unique_ptr<PacedMasker>> Create(
      Loop& loop, const std::shared_ptr<const MaskEngine>& engine);

  // For what is short: refusals, names, what people are shown.
  Masker& at_once() { return *here_; }

  // As the Masker's, in the turns of `principal`. Neither it nor `mask` need outlive the call.
  Task<absl::StatusOr<MaskedMessage>> Mask(std::string_view principal, UpstreamMessage message,
                                           const SessionMask& mask);
  Task<absl::StatusOr<MaskedRequest>> MaskRequest(std::string_view principal,
                                                  std::shared_ptr<const ClientMessage> message,
                                                  const SessionMask& mask);
  Task<ShownRequest> Show(std::string_view principal, std::shared_ptr<const ClientMessage> message,
                          const SessionMask& mask);
  Task<absl::StatusOr<CallForApprover>> ShowToApprover(std::string_view principal,
                                                       std::shared_ptr<const ClientMessage> call,
                                                       const SessionMask& mask);

  // What is longer is worked on apart: text that is made to be slow takes some 0.2 ms a KiB, any
  // other a tenth of that; a thread is begun in a twentieth of a millisecond.
  static constexpr std::size_t kLongBytes = std::size_t{64} << 10;
  // Other work on what is long, on the same thread and in the same turns. What it uses is its own,
  // immutable, or the awaiter's, which nobody else touches meanwhile.
  Task<void> RunApart(std::string principal, absl::AnyInvocable<void()> work);

 private:
  PacedMasker(Loop& loop, std::unique_ptr<Masker> here, std::shared_ptr<Masker> apart)
      : loop_(loop), here_(std::move(here)), apart_(std::move(apart)) {}

  template <class Result, class Message>
  static Task<Result> Apart(PacedMasker& self, std::string principal,
                            Result (*work)(Masker&, Message, const SessionMask&), Message message,
                            SessionMask mask);

  // What the message holds of the loop's stays on the loop's thread.
  static Task<absl::StatusOr<MaskedMessage>> MaskApart(PacedMasker& self, std::string principal,
                                                       UpstreamMessage message, SessionMask mask);

  Loop& loop_;
  const std::unique_ptr<Masker> here_;
  // Of the thread that masks just now.
  const std::shared_ptr<Masker> apart_;
  bool is_busy_ = false;
  PrincipalTurns turns_;
};

}  // namespace sallyport::agent
