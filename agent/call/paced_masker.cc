#include "agent/call/paced_masker.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "common/status_macros.h"
#include "common/turns.h"

namespace sallyport::agent {
namespace {

using ClientMessagePtr = std::shared_ptr<const ClientMessage>;

absl::StatusOr<MaskedMessage> MaskWith(Masker& masker, UpstreamMessage message,
                                       const SessionMask& mask) {
  return masker.Mask(std::move(message), mask);
}

absl::StatusOr<MaskedRequest> MaskRequestWith(Masker& masker, ClientMessagePtr message,
                                              const SessionMask& mask) {
  return masker.MaskRequest(std::move(message), mask);
}

absl::StatusOr<CallForApprover> ShowToApproverWith(Masker& masker, ClientMessagePtr call,
                                                   const SessionMask& mask) {
  return masker.ShowToApprover(*call, mask);
}

ShownRequest ShowWith(Masker& masker, ClientMessagePtr message, const SessionMask& mask) {
  return masker.Show(std::move(message), mask);
}

}  // namespace

void PrincipalTurns::Add(std::string_view principal, Signal& turn) {
  auto place = std::ranges::find(waiting_, principal, &Waiting::principal);
  if (place == waiting_.end()) {
    place = waiting_.insert(place, Waiting{.principal = std::string(principal), .turns = {}});
  }
  place->turns.push_back(&turn);
}

Signal* PrincipalTurns::Next() {
  if (waiting_.empty()) return nullptr;
  const auto go_last = [this] {
    waiting_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  };
  if (waiting_.size() > 1 && waiting_.front().principal == last_) go_last();
  Waiting& first = waiting_.front();
  Signal* const turn = first.turns.front();
  first.turns.pop_front();
  last_ = first.principal;
  if (first.turns.empty()) {
    waiting_.pop_front();
  } else {
    go_last();
  }
  return turn;
}

absl::StatusOr<std::unique_ptr<PacedMasker>> PacedMasker::Create(
    Loop& loop, const std::shared_ptr<const MaskEngine>& engine) {
  ASSIGN_OR_RETURN(auto here, Masker::Create(engine));
  ASSIGN_OR_RETURN(auto apart, Masker::Create(engine));
  return std::unique_ptr<PacedMasker>(new PacedMasker(loop, std::move(here), std::move(apart)));
}

template <class Result, class Message>
Task<Result> PacedMasker::Apart(PacedMasker& self, std::string principal,
                                Result (*work)(Masker&, Message, const SessionMask&),
                                Message message, SessionMask mask) {
  std::optional<Result> result;
  co_await self.RunApart(std::move(principal),
                         [&result, &message, &mask, work, masker = self.apart_] {
                           result.emplace(work(*masker, std::move(message), mask));
                         });
  co_return *std::move(result);
}

Task<void> PacedMasker::RunApart(std::string principal, absl::AnyInvocable<void()> work) {
  Signal turn(loop_);
  turns_.Add(principal, turn);
  if (!std::exchange(is_busy_, true)) turns_.Next()->Set();
  co_await turn.Wait();
  // The thread has ended before the loop destroys this frame.
  Signal done(loop_);
  loop_.RunElsewhere(
      [&work] {
        TakeFewerTurns();
        work();
      },
      [&done] { done.Set(); });
  co_await done.Wait();
  // It stays busy where it is handed on.
  if (Signal* next = turns_.Next()) {
    next->Set();
  } else {
    is_busy_ = false;
  }
}

Task<absl::StatusOr<MaskedMessage>> PacedMasker::Mask(std::string_view principal,
                                                      UpstreamMessage message,
                                                      const SessionMask& mask) {
  using Masked = absl::StatusOr<MaskedMessage>;
  if (message.bytes.size() <= kLongBytes) {
    return Task<Masked>(here_->Mask(std::move(message), mask));
  }
  return MaskApart(*this, std::string(principal), std::move(message), mask);
}

Task<absl::StatusOr<MaskedMessage>> PacedMasker::MaskApart(PacedMasker& self, std::string principal,
                                                           UpstreamMessage message,
                                                           SessionMask mask) {
  auto room = std::exchange(message.room, nullptr);
  auto masked = co_await Apart<absl::StatusOr<MaskedMessage>>(self, std::move(principal), MaskWith,
                                                              std::move(message), std::move(mask));
  if (masked.ok()) masked->set_room(std::move(room));
  co_return masked;
}

Task<absl::StatusOr<MaskedRequest>> PacedMasker::MaskRequest(std::string_view principal,
                                                             ClientMessagePtr message,
                                                             const SessionMask& mask) {
  using Masked = absl::StatusOr<MaskedRequest>;
  if (message->bytes.size() <= kLongBytes) {
    return Task<Masked>(here_->MaskRequest(std::move(message), mask));
  }
  return Apart<Masked>(*this, std::string(principal), MaskRequestWith, std::move(message), mask);
}

Task<ShownRequest> PacedMasker::Show(std::string_view principal, ClientMessagePtr message,
                                     const SessionMask& mask) {
  if (message->bytes.size() <= kLongBytes) {
    return Task<ShownRequest>(here_->Show(std::move(message), mask));
  }
  return Apart<ShownRequest>(*this, std::string(principal), ShowWith, std::move(message), mask);
}

Task<absl::StatusOr<CallForApprover>> PacedMasker::ShowToApprover(std::string_view principal,
                                                                  ClientMessagePtr call,
                                                                  const SessionMask& mask) {
  using Shown = absl::StatusOr<CallForApprover>;
  if (call->bytes.size() <= kLongBytes) return Task<Shown>(here_->ShowToApprover(*call, mask));
  return Apart<Shown>(*this, std::string(principal), ShowToApproverWith, std::move(call), mask);
}

}  // namespace sallyport::agent
