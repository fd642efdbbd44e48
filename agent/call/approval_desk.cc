#include "agent/call/approval_desk.h"

#include <utility>

namespace sallyport::agent {
namespace {

using types::v1::APPROVAL_STATE_EXPIRED;
using types::v1::APPROVAL_STATE_PENDING;

}  // namespace

void ApprovalDesk::Learn(const types::v1::Approval& approval, SessionTable& sessions) {
  Entry& entry = entries_[approval.id()];
  const bool was_pending = entry.approval.state() == APPROVAL_STATE_PENDING;
  const bool is_pending = approval.state() == APPROVAL_STATE_PENDING;
  entry.approval = approval;
  // A session that waits for its own approval is not there yet.
  if (is_pending && !was_pending) {
    if (ServedSession* session = sessions.FindById(approval.session_id())) {
      session->live().ApprovalAsked();
    }
  }
  if (was_pending && !is_pending) Settle(entry, sessions);
  for (Signal* waiter : entry.waiters) waiter->Set();
  if (!is_pending && entry.waiters.empty()) entries_.erase(approval.id());
}

void ApprovalDesk::Settle(Entry& entry, SessionTable& sessions) {
  if (ServedSession* session = sessions.FindById(entry.approval.session_id())) {
    session->live().ApprovalSettled();
  }
}

void ApprovalDesk::Sweep(absl::Time now, SessionTable& sessions) {
  for (auto place = entries_.begin(); place != entries_.end();) {
    Entry& entry = place->second;
    const absl::Time expires_at = absl::FromUnixSeconds(entry.approval.expires_at().seconds());
    const bool has_lapsed = entry.approval.state() == APPROVAL_STATE_PENDING && now >= expires_at;
    if (has_lapsed) {
      entry.approval.set_state(APPROVAL_STATE_EXPIRED);
      Settle(entry, sessions);
      for (Signal* waiter : entry.waiters) waiter->Set();
    }
    const bool is_settled = entry.approval.state() != APPROVAL_STATE_PENDING;
    place = is_settled && entry.waiters.empty() ? entries_.erase(place) : std::next(place);
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
