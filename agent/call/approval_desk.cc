#include "agent/call/approval_desk.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "agent/call/about_approval.h"

namespace sallyport::agent {
namespace {

// Somebody may still decide it, or use it.
bool IsOpen(const types::v1::Approval& approval) {
  return approval.state() == types::v1::APPROVAL_STATE_PENDING ||
         approval.state() == types::v1::APPROVAL_STATE_APPROVED;
}

// How far it has come: it only goes on.
int StepOf(const types::v1::Approval& approval) {
  switch (approval.state()) {
    case types::v1::APPROVAL_STATE_UNSPECIFIED:
      return 0;  // nothing has been told of it
    case types::v1::APPROVAL_STATE_PENDING:
      return 1;
    case types::v1::APPROVAL_STATE_APPROVED:
      return 2;
    default:
      return 3;
  }
}

// How long what is over is remembered: longer than anybody waits for an answer that may still say
// how it stood before.
constexpr absl::Duration kRemembered = absl::Seconds(30);

// The control plane decides whether a decision came in time, and says so within a second or two:
// who is answered before may be told that a call lapsed which an approver was told he had approved.
constexpr absl::Duration kLastWord = absl::Seconds(5);

}  // namespace

void ApprovalDesk::Learn(const types::v1::Approval& approval, SessionTable& sessions) {
  Entry& entry = entries_[approval.id()];
  if (StepOf(approval) < StepOf(entry.approval)) return;
  entry.approval = approval;
  Count(entry, sessions);
  for (Signal* waiter : entry.waiters) waiter->Set();
}

void ApprovalDesk::Count(Entry& entry, SessionTable& sessions) {
  // A session that waits for its own approval is not there yet.
  ServedSession* session = sessions.FindById(entry.approval.session_id());
  const bool is_open = IsOpen(entry.approval);
  if (session == nullptr || is_open == entry.is_counted) return;
  is_open ? session->live().ApprovalAsked() : session->live().ApprovalSettled();
  entry.is_counted = is_open;
}

bool ApprovalDesk::IsAwaited(std::string_view approval_id) const {
  const auto entry = entries_.find(approval_id);
  return entry != entries_.end() && !entry->second.waiters.empty();
}

std::vector<types::v1::Approval> ApprovalDesk::Open() const {
  std::vector<types::v1::Approval> open;
  for (const auto& [id, entry] : entries_) {
    if (IsOpen(entry.approval)) open.push_back(entry.approval);
  }
  return open;
}

void ApprovalDesk::Sweep(absl::Time now, SessionTable& sessions) {
  for (auto place = entries_.begin(); place != entries_.end();) {
    Entry& entry = place->second;
    if (IsOpen(entry.approval) && now >= ExpiresAt(entry.approval) + kLastWord) {
      entry.approval.set_state(types::v1::APPROVAL_STATE_EXPIRED);
      for (Signal* waiter : entry.waiters) waiter->Set();
    }
    // An approval may have been told of before its session was there.
    Count(entry, sessions);
    if (!IsOpen(entry.approval)) entry.forget_at = std::min(entry.forget_at, now + kRemembered);
    const bool is_forgotten = now >= entry.forget_at && entry.waiters.empty();
    place = is_forgotten ? entries_.erase(place) : std::next(place);
  }
}

ApprovalDesk::Waiting::Waiting(ApprovalDesk& desk, std::string approval_id, Signal& changed)
    : desk_(desk), id_(std::move(approval_id)), changed_(changed) {
  desk_.entries_[id_].waiters.push_back(&changed_);
}

ApprovalDesk::Waiting::~Waiting() { std::erase(desk_.entries_[id_].waiters, &changed_); }

const types::v1::Approval& ApprovalDesk::Waiting::approval() const {
  return desk_.entries_.find(id_)->second.approval;
}

}  // namespace sallyport::agent
