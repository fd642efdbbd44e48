#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "sallyport/types/v1/session.pb.h"

namespace sallyport::controlplane {

// The stretch of time whose sessions of one principal and server share one end and one budget of
// calls. It starts with the first activation; a session opened by a new approval starts a new one.
struct Window {
  std::string id;
  absl::Time starts_at;
  absl::Time ends_at;
};

// What an opened session is given of its window.
struct Admission {
  std::string window_id;
  absl::Time expires_at;
  uint64_t call_budget = 0;  // counted calls this session may make; 0: no limit
};

// The policies a session is opened under.
struct PolicyVersion {
  uint64_t epoch = 0;
  uint64_t version = 0;
};

// One just-in-time session and the only ways in which it changes:
//
//   pending --Activate, BreakGlass--> active --End--> ended
//      |  \--End--> ended           ended --ReportCalls--> (once)
//      \--Deny--> denied
//
// and, without another state: TakeTerms and AskAnew while it is pending, FixAgent once while it is
// live, Renew while it is active, Review once when it has ended.
//
// Each transition returns kFailedPrecondition, and changes nothing, from any other state.
class Session {
 public:
  struct Request {
    std::string id;
    std::string request_id;
    types::v1::Principal principal;
    std::string server;
    std::string agent;           // empty: the first connection will fix it
    std::string client_address;  // empty: bound to the principal only
    std::string reason;
    types::v1::EffectiveTerms terms;
    std::optional<types::v1::ObservedOpening> observed = {};
    absl::Duration duration;  // what was asked for, at most terms.max_duration
    std::string issuer_id;    // the entry that accepted the token
    std::string signing_key;  // the key that signed it, by its thumbprint
    PolicyVersion policies;
    absl::Time created_at;
  };
  static Session Pending(Request request, std::string approval_id);
  static Session Active(Request request, const Admission& admission);

  // As it was stored.
  struct Stored {
    types::v1::Session proto;
    std::string request_id;
    std::string window_id;
    absl::Duration duration;
    std::string issuer_id;
    std::string signing_key;
    PolicyVersion policies;
    uint64_t call_budget = 0;
    bool is_reported = false;
    int64_t revision = 0;
  };
  explicit Session(Stored stored) : stored_(std::move(stored)) {}
  const Stored& stored() const { return stored_; }

  const types::v1::Session& proto() const { return stored_.proto; }
  const std::string& id() const { return stored_.proto.id(); }
  types::v1::SessionState state() const { return stored_.proto.state(); }
  bool is_pending() const { return state() == types::v1::SESSION_STATE_PENDING; }
  // A row may say active past its end, until the sweep: only this says whether it still admits
  // anything.
  bool IsActiveAt(absl::Time now) const;
  absl::Time expires_at() const;  // infinite past: never activated
  absl::Duration duration() const { return stored_.duration; }
  uint64_t call_budget() const { return stored_.call_budget; }
  bool is_reported() const { return stored_.is_reported; }

  // It will be opened under these policies, which give it these terms: what it asked for is cut to
  // them.
  absl::Status TakeTerms(const types::v1::EffectiveTerms& terms, PolicyVersion policies);
  // While it is pending, its caller says how long it is to last, at most what its terms give, ...
  absl::Status AskFor(absl::Duration duration);
  // ... and why. Its approval has the reason, too: who changes one changes both.
  absl::Status SayWhy(std::string_view reason);
  // It waits for this approval instead of the one it had, which is closed; empty: for none, and is
  // to be activated. `observed` is what the policies that now open it say of that.
  absl::Status AskAnew(std::string_view approval_id,
                       const std::optional<types::v1::ObservedOpening>& observed);
  // `approved_by`: who gave its approval, realm:subject.
  absl::Status Activate(const Admission& admission, absl::Time now,
                        const std::vector<std::string>& approved_by = {});
  // Without the approval of its terms, for the reason given, where the policies allow that for so
  // long.
  absl::Status BreakGlass(const Admission& admission, std::string_view reason,
                          absl::Duration allowed, absl::Time now);
  absl::Status Deny(types::v1::DenialReason reason, std::string_view detail, absl::Time now);
  absl::Status End(types::v1::EndReason reason, std::string_view detail, absl::Time now);
  // The agent that the first connection has reached. CLIENT_MISMATCH where it has one already.
  absl::Status FixAgent(std::string_view agent);
  // Its caller has brought a newer token, of this entry and key. Nothing else of the session
  // changes.
  absl::Status Renew(std::string_view issuer_id, std::string_view signing_key, absl::Time now);
  // By somebody who is eligible (controlplane/access says who), of a session that broke glass.
  absl::Status Review(const types::v1::Principal& by, std::string_view note, absl::Time now);
  bool is_unreviewed() const {
    return stored_.proto.has_break_glass() && !stored_.proto.break_glass().has_review();
  }
  // Of one that broke glass: those who were skipped and whom no notifier is configured for, and why
  // not all have been told; empty: they have, or may soon be.
  void SetUnaddressed(const std::vector<std::string>& approvers);
  void SetNoticeAlarm(std::string_view why);
  bool is_unnotified() const {
    return is_unreviewed() && !stored_.proto.break_glass().notice_alarm().empty();
  }
  // What the agent counted, once, at the session's end. Until then all of its budget counts as
  // used.
  absl::Status ReportCalls(uint64_t calls);

 private:
  Stored stored_;
};

}  // namespace sallyport::controlplane
