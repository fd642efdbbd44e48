#include "controlplane/policies/suggest_policy.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/policy/documents.h"
#include "common/status_macros.h"
#include "common/time_text.h"
#include "controlplane/policies/asked_people.h"
#include "controlplane/policies/call_judge.h"
#include "controlplane/policies/observed_use.h"
#include "controlplane/policies/progress_report.h"
#include "controlplane/policies/read_request.h"
#include "controlplane/policies/terms_in_force.h"
#include "controlplane/policies/write_suggestion.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::SuggestPolicyResponse;
using Kind = RecordedCall::Kind;
using Outcome = RecordedCall::Outcome;
using types::v1::Document;

constexpr std::size_t kMostUses = 100;

bool HasPassed(const RecordedCall& call) {
  return (call.outcome == Outcome::kPassed || call.outcome == Outcome::kApproved) &&
         (call.kind != Kind::kRequest || NeedsRule(call.method));
}

// Who did what where, by (realm, kind, subject, client id, server).
class Uses {
 public:
  explicit Uses(Database& control) : control_(control) {}

  absl::Status Take(const types::v1::Session& session, const RecordedCall& call) {
    if (!HasPassed(call)) return absl::OkStatus();
    const types::v1::Principal& who = session.principal();
    const Key key{who.realm(), who.kind(), who.subject(), who.client_id(), session.server()};
    auto use = uses_.find(key);
    if (use == uses_.end()) {
      if (uses_.size() == kMostUses) {
        has_dropped_ = true;
        return absl::OkStatus();
      }
      use = uses_.emplace(key, ObservedUse(session)).first;
    }
    ASSIGN_OR_RETURN(const AskedPeople asked, ReadAskedPeople(control_, call.approval_id));
    if (call.kind == Kind::kOpening) {
      use->second.AddOpening(session, asked);
    } else {
      ++calls_;
      use->second.Add(call, asked);
    }
    return absl::OkStatus();
  }

  uint64_t calls() const { return calls_; }
  bool has_dropped() const { return has_dropped_; }

  template <class Each>
  void ForEach(Each each) const {
    for (const auto& [key, use] : uses_) each(use);
  }

 private:
  using Key = std::tuple<std::string, int, std::string, std::string, std::string>;

  Database& control_;
  std::map<Key, ObservedUse> uses_;
  uint64_t calls_ = 0;
  bool has_dropped_ = false;
};

absl::StatusOr<admin::v1::Suggestion> Write(const Uses& uses, const PoliciesInForce& in_force,
                                            bool with_arguments) {
  SuggestionWriter writer(with_arguments);
  uses.ForEach([&](const ObservedUse& use) {
    // Who only opened a session needs nothing.
    if (use.calls() > 0) writer.Add(use, in_force.For(use.latest()));
  });
  admin::v1::Suggestion suggestion;
  suggestion.set_source(writer.source());
  *suggestion.mutable_notes() = {writer.notes().begin(), writer.notes().end()};
  if (uses.has_dropped()) {
    suggestion.add_notes(absl::StrCat("there were more than ", kMostUses,
                                      " servers and clients: name one with --server"));
  }
  suggestion.set_calls(uses.calls());
  return suggestion;
}

}  // namespace

absl::Status SuggestPolicy::Run(const Caller& caller,
                                const admin::v1::SuggestPolicyRequest& request,
                                absl::FunctionRef<bool(const SuggestPolicyResponse&)> sink) const {
  const bool may_read =
      request.with_arguments() ? MayReadContent(caller) : MayReadRecordings(caller);
  RETURN_IF_ERROR(
      NoteReading(control_, caller, clock_.Now(), "policy.suggest", request.calls(), may_read));
  if (!may_read) {
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING,
                  request.with_arguments()
                      ? "values of arguments are read by auditors, with a token of their own"
                      : "recordings are read by admins and auditors, with a token of their own");
  }
  ASSIGN_OR_RETURN(const CallFilter filter, FilterOf(request.calls(), clock_.Now()));
  if (filter.realm.empty()) return absl::InvalidArgumentError("calls.principal is missing");

  Uses uses(control_);
  ProgressReport progress(clock_);
  absl::Status failed;
  const auto report = [&](const CallsRead& so_far) {
    if (!progress.IsDue()) return true;
    SuggestPolicyResponse response;
    *response.mutable_progress() = ProgressReport::Of(so_far, uses.calls());
    return sink(response);
  };
  const auto take = [&](const types::v1::Session& session, const RecordedCall& call) {
    failed = uses.Take(session, call);
    return failed.ok();
  };
  RETURN_IF_ERROR(calls_(filter, take, report).status());
  RETURN_IF_ERROR(failed);
  if (uses.calls() == 0) {
    RETURN_IF_ERROR(CheckNames(control_, filter));
    return absl::NotFoundError(absl::StrCat("no recording shows ", request.calls().principal(),
                                            " doing anything in that time"));
  }
  ASSIGN_OR_RETURN(const PoliciesInForce in_force, PoliciesInForce::Read(control_, clock_.Now()));
  SuggestPolicyResponse response;
  ASSIGN_OR_RETURN(*response.mutable_suggestion(), Write(uses, in_force, request.with_arguments()));

  // Once more, by what was written: whoever applies it is told what it is worth.
  ASSIGN_OR_RETURN(std::vector<Document> documents,
                   ParseDocuments(response.suggestion().source(), "suggestion"));
  ASSIGN_OR_RETURN(CallJudge judge, CallJudge::Create(std::move(documents)));
  uint64_t covered = 0;
  const auto check = [&](const types::v1::Session& session, const RecordedCall& call) {
    if (call.kind == Kind::kOpening || !HasPassed(call)) return true;
    const CallJudge::Judgement judgement = judge.Judge(session, call);
    covered += judgement.answer.has_value() && judgement.answer->decision() != "deny" ? 1 : 0;
    return true;
  };
  RETURN_IF_ERROR(calls_(filter, check, report).status());
  response.mutable_suggestion()->set_covered(covered);
  sink(response);
  return absl::OkStatus();
}

}  // namespace sallyport::controlplane
