#pragma once

#include <string>
#include <utility>
#include <vector>

#include "controlplane/model/approval.h"
#include "controlplane/model/recorded_call.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/sessions.h"
#include "tests/integration/controlplane/policies/fixture.h"

namespace sallyport::controlplane {

// Recorded decisions, held in memory instead of a recording.
class Recorded {
 public:
  // A session of the bot 0oa1 on the server wiki, of now.
  types::v1::Session& AddSession(const std::string& id, absl::Time now) {
    types::v1::Session& session = sessions_.emplace_back();
    session.set_id(id);
    session.set_server("wiki");
    session.set_agent("a1");
    session.mutable_principal()->set_realm("okta");
    session.mutable_principal()->set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
    session.mutable_principal()->set_subject("0oa1");
    session.mutable_principal()->set_client_id("0oa1");
    session.set_state(types::v1::SESSION_STATE_ENDED);
    *session.mutable_created_at() = ToProto(now);
    *session.mutable_opened_at() = ToProto(now);
    *session.mutable_ended_at() = ToProto(now + absl::Minutes(12));
    Add({.kind = RecordedCall::Kind::kOpening, .at = now});
    return session;
  }

  RecordedCall& Add(RecordedCall call) {
    if (call.at == absl::Time()) call.at = calls_.empty() ? call.at : calls_.front().second.at;
    if (call.kind != RecordedCall::Kind::kOpening) call.record = ++last_record_;
    calls_.emplace_back(sessions_.size() - 1, std::move(call));
    return calls_.back().second;
  }
  RecordedCall& AddTool(const std::string& tool, const std::string& arguments = "{}") {
    return Add({.method = "tools/call", .target = tool, .arguments = arguments});
  }

  CallSource Source() const {
    return [this](const CallFilter& filter, auto take, auto on_progress) {
      filters.push_back(filter);
      CallsRead read{.of = sessions_.size()};
      if (is_empty) return absl::StatusOr<CallsRead>(CallsRead{});
      for (const auto& [session, call] : calls_) {
        if (!take(sessions_[session], call)) break;
      }
      read.done = sessions_.size();
      on_progress(read);
      return absl::StatusOr<CallsRead>(read);
    };
  }

  // No recording is what the filter asks for.
  bool is_empty = false;
  mutable std::vector<CallFilter> filters;  // of each reading

 private:
  std::vector<types::v1::Session> sessions_;
  std::vector<std::pair<std::size_t, RecordedCall>> calls_;
  uint64_t last_record_ = 0;
};

// A call's approval that two of `approver` were asked for, of the session ses_1.
inline std::string AddApproval(Database& control, absl::Time now, const std::string& approver) {
  types::v1::Approval proto;
  proto.set_id("apr_1");
  proto.set_session_id("ses_1");
  proto.set_server("wiki");
  proto.set_method("tools/call");
  proto.set_tool("delete");
  proto.add_approvers(approver);
  proto.set_count(2);
  *proto.mutable_created_at() = ToProto(now);
  *proto.mutable_expires_at() = ToProto(now + absl::Minutes(5));
  Session::Request session{.id = "ses_1",
                           .request_id = "request-1",
                           .server = "wiki",
                           .agent = "a1",
                           .duration = absl::Minutes(15),
                           .created_at = now};
  session.principal.set_realm("okta");
  session.principal.set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
  session.principal.set_subject("0oa1");
  session.principal.set_client_id("0oa1");
  const Window window{"win_1", now, now + absl::Minutes(15)};
  const auto t = *control.Write();
  REQUIRE(sessions::InsertWindow(*t, session.principal, "wiki", window).ok());
  REQUIRE(sessions::Insert(*t,
                           Session::Active(session, {.window_id = window.id,
                                                     .expires_at = window.ends_at,
                                                     .call_budget = 7}),
                           {})
              .ok());
  REQUIRE(approvals::Insert(*t, Approval::Pending(proto, "a1", {})).ok());
  REQUIRE(t->Commit().ok());
  return proto.id();
}

inline Caller APerson(bool is_admin, bool is_auditor) {
  PersonCaller person{.may_manage = true, .is_admin = is_admin, .is_auditor = is_auditor};
  person.principal.set_realm("okta");
  person.principal.set_kind(types::v1::PRINCIPAL_KIND_USER);
  person.principal.set_subject("dora");
  return Caller(person, "10.0.0.1");
}

inline const Caller kAuditor = APerson(false, true);

}  // namespace sallyport::controlplane
