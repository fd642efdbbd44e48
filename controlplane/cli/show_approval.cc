#include "controlplane/cli/show_approval.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/json_printer.h"
#include "common/time_text.h"
#include "controlplane/cli/facts.h"
#include "controlplane/cli/output.h"

namespace sallyport::controlplane {
namespace {

using types::v1::Approval;

std::string PersonOf(const types::v1::Principal& principal) {
  return absl::StrCat(principal.realm(), ":", principal.subject());
}

int64_t Approved(const Approval& approval) {
  return std::ranges::count_if(approval.decisions(),
                               [](const auto& decision) { return decision.approve(); });
}

// What its caller did on the server before, in other sessions.
std::string Before(const types::v1::PrincipalHistory& before) {
  if (before.sessions() + before.sessions_denied() + before.calls() + before.approvals_granted() +
          before.approvals_denied() ==
      0) {
    return "nothing but this session: no other one, no call in another and no approval on this "
           "server";
  }
  return absl::StrCat(before.sessions(), " other sessions (", before.sessions_denied(),
                      " denied) with ", before.calls(),
                      " calls; approvals: ", before.approvals_granted(), " granted, ",
                      before.approvals_denied(), " denied");
}

// What its session is given.
std::string Opening(const Approval& approval) {
  const std::string time = DurationText(absl::Seconds(approval.duration().seconds()));
  return approval.max_calls() == 0
             ? time
             : absl::StrCat(time, ", at most ", approval.max_calls(), " calls");
}

// Of one that is closed.
std::string Shortened(const Approval& approval) {
  return absl::StrCat(absl::StrJoin(approval.shortened(), ", "),
                      ": too long to be kept here once it is closed; the recording of ",
                      approval.session_id(), " has what was asked for");
}

void AddCaller(const Approval& approval, Facts& facts) {
  const types::v1::Principal& principal = approval.principal();
  facts.Add("principal", PersonOf(principal));
  facts.Add("client", principal.client_id());
  facts.Add("kind", EnumWord(principal.kind()));
  facts.Add("groups", absl::StrJoin(principal.groups(), " "));
  facts.Add("reason", approval.reason());
  facts.Add("session", approval.session_id());
  const types::v1::PrincipalHistory& before = approval.history();
  facts.Add("before", Before(before));
  facts.Add("last session", TimeCell(before.last_session_at(), before.has_last_session_at()));
  if (before.same_calls() > 0) {
    // Whatever its arguments were.
    facts.Add(approval.method() == "tools/call" ? "same tool" : "same target",
              absl::StrCat(before.same_calls(), " times, last ",
                           TimeCell(before.last_same_call_at(), before.has_last_same_call_at())));
  }
}

void AddDecisions(const Approval& approval, Facts& facts) {
  for (const types::v1::ApprovalDecision& decision : approval.decisions()) {
    facts.Add(
        decision.approve() ? "approved by" : "denied by",
        absl::StrCat(PersonOf(decision.by()), " at ", TimeCell(decision.at(), decision.has_at()),
                     decision.reason().empty() ? "" : ": ", decision.reason()));
  }
  if (!approval.has_revocation()) return;
  const types::v1::ApprovalRevocation& revocation = approval.revocation();
  facts.Add("taken back by",
            absl::StrCat(revocation.by(), " at ", TimeCell(revocation.at(), revocation.has_at()),
                         revocation.reason().empty() ? "" : ": ", revocation.reason()));
}

}  // namespace

std::string Progress(const Approval& approval) {
  return absl::StrCat(Approved(approval), " of ", std::max(1U, approval.count()));
}

std::string StillNeeded(const Approval& approval) {
  const int64_t more = std::max<int64_t>(1, approval.count()) - Approved(approval);
  return more == 1 ? "another person must approve it"
                   : absl::StrCat(more, " more people must approve it");
}

std::string CallText(const types::v1::Call& call) {
  return Printable(absl::StrCat(call.session_id(), " ", call.call_id(), " ", call.method(), " ",
                                call.target(), " by ", PersonOf(call.principal()), " at ",
                                TimeCell(call.reserved_at(), call.has_reserved_at())));
}

std::string SettledText(const types::v1::Call& call) {
  return Printable(absl::StrCat(
      CallText(call), "; ", call.state() == types::v1::CALL_STATE_DONE ? "done" : "not done",
      ", said by ", call.resolved_by(), " at ", TimeCell(call.settled_at(), call.has_settled_at()),
      call.resolution().empty() ? "" : ": ", call.resolution()));
}

std::string ApprovalText(const Approval& approval) {
  Facts facts;
  facts.Add("approval", approval.id());
  facts.Add("state", EnumWord(approval.state()));
  facts.Add("alarm", approval.notice_alarm().empty()
                         ? ""
                         : absl::StrCat("nobody has been told: ", approval.notice_alarm()));
  facts.Add("server", approval.server());
  facts.Add("for", approval.method().empty()
                       ? "(session)"
                       : absl::StrCat(approval.method(), " ", approval.tool()));
  if (approval.has_duration()) facts.Add("open for", Opening(approval));
  facts.Add("arguments", approval.arguments());
  facts.Add("other params", approval.other_params());
  if (!approval.shortened().empty()) facts.Add("cut", Shortened(approval));
  facts.Add("digest", approval.arguments_digest());
  for (const types::v1::Call& call : approval.repeats())
    facts.Add("in doubt", absl::StrCat(CallText(call), "; to approve is to make it again"));
  facts.Add("definition", approval.tool_definition());
  facts.Add("definition of", approval.definition_hash());
  AddCaller(approval, facts);
  facts.Add("approvers", absl::StrJoin(approval.approvers(), " "));
  if (!approval.owners().empty()) {
    facts.Add("owners", absl::StrCat(absl::StrJoin(approval.owners(), " "),
                                     ", who own the service that asks and never decide for it"));
  }
  facts.Add("approved", Progress(approval));
  facts.Add("expires", TimeCell(approval.expires_at(), approval.has_expires_at()));
  AddDecisions(approval, facts);
  return std::move(facts).Text();
}

}  // namespace sallyport::controlplane
