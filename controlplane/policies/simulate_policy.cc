#include "controlplane/policies/simulate_policy.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "common/denial.h"
#include "common/policy/documents.h"
#include "common/status_macros.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/policies/asked_people.h"
#include "controlplane/policies/call_judge.h"
#include "controlplane/policies/parse_files.h"
#include "controlplane/policies/progress_report.h"
#include "controlplane/policies/read_request.h"
#include "controlplane/policies/rules_then.h"
#include "controlplane/store/documents.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::SimulatePolicyResponse;
using types::v1::Document;

constexpr uint64_t kMostListed = 10'000;
constexpr char kRequireApproval[] = "require_approval";

bool IsSameKey(const Document& a, const Document& b) {
  return a.kind() == b.kind() && a.name() == b.name();
}

absl::Status CheckAllMasks(const std::vector<Document>& documents,
                           std::span<const NamedText> texts) {
  std::set<std::string> profiles;
  for (const Document& document : documents) {
    if (document.has_mask_profile()) profiles.insert(document.name());
  }
  return CheckMaskNames(documents, profiles, texts);
}

absl::StatusOr<RulesThen> ReadRulesThen(Database& control, const std::vector<Document>& documents) {
  ASSIGN_OR_RETURN(const auto t, control.Read());
  return RulesThen::Read(*t, documents);
}

// What becomes of one call, and the counts.
class Simulation {
 public:
  using Sink = absl::FunctionRef<bool(const SimulatePolicyResponse&)>;

  Simulation(Database& control, CallJudge& judge, RulesThen& then, Sink sink)
      : control_(control), judge_(judge), then_(then), sink_(sink) {}

  // False: the reader has gone.
  bool Take(const types::v1::Session& session, const RecordedCall& call) {
    if (call.kind == RecordedCall::Kind::kRequest && !NeedsRule(call.method)) return true;
    summary_.set_calls(summary_.calls() + 1);
    if (call.outcome == RecordedCall::Outcome::kNotOfPolicy) {
      summary_.set_passed_over(summary_.passed_over() + 1);
      return true;
    }
    CallJudge::Judgement judgement = judge_.Judge(session, call);
    absl::StatusOr<admin::v1::PolicyAnswer> was = WhatWas(call);
    if (!was.ok()) {
      status_ = was.status();
      return false;
    }
    const bool was_asked = was->decision() == kRequireApproval;
    if (was_asked && was->approvers().empty() && IsSameWord(judgement, *was)) {
      judgement = {.answer = std::nullopt, .undecided = "who was asked at the time is not known"};
    }
    const bool may_be_the_same = was_asked || !judgement.answer.has_value();
    if ((IsSameWord(judgement, *was) && AskTheSame(*judgement.answer, *was)) ||
        (may_be_the_same && then_.AreSame(session, call))) {
      summary_.set_unchanged(summary_.unchanged() + 1);
      return true;
    }
    if (judgement.answer.has_value()) {
      summary_.set_changed(summary_.changed() + 1);
    } else {
      summary_.set_undecided(summary_.undecided() + 1);
    }
    return List(session, call, *std::move(was), std::move(judgement));
  }

  // Why it ended, where the reader had not gone.
  const absl::Status& status() const { return status_; }

  bool Report(const CallsRead& read) {
    SimulatePolicyResponse response;
    *response.mutable_progress() = ProgressReport::Of(read, summary_.calls());
    return sink_(response);
  }

  void Finish(const CallsRead& read) {
    summary_.set_sessions(read.done);
    summary_.set_unreadable(read.unreadable);
    SimulatePolicyResponse response;
    *response.mutable_summary() = summary_;
    sink_(response);
  }

 private:
  static bool IsSameWord(const CallJudge::Judgement& judgement,
                         const admin::v1::PolicyAnswer& was) {
    return judgement.answer.has_value() && judgement.answer->decision() == was.decision();
  }

  // With who was asked, where that is known.
  absl::StatusOr<admin::v1::PolicyAnswer> WhatWas(const RecordedCall& call) {
    admin::v1::PolicyAnswer was = AnswerOf(call);
    if (was.decision() != kRequireApproval) return was;
    const absl::StatusOr<AskedPeople> asked = ReadAskedPeople(control_, call.approval_id);
    if (absl::IsNotFound(asked.status())) return was;
    RETURN_IF_ERROR(asked.status());
    was.mutable_approvers()->Assign(asked->approvers.begin(), asked->approvers.end());
    was.set_count(asked->count);
    return was;
  }

  bool List(const types::v1::Session& session, const RecordedCall& call,
            admin::v1::PolicyAnswer was, CallJudge::Judgement judgement) {
    if (listed_ == kMostListed) {
      summary_.set_not_listed(summary_.not_listed() + 1);
      return true;
    }
    ++listed_;
    SimulatePolicyResponse response;
    admin::v1::SimulatedCall& item = *response.mutable_call();
    item.set_session_id(session.id());
    item.set_record(call.record);
    *item.mutable_at() = ToProto(call.at);
    item.set_principal(PrincipalName(session.principal()));
    item.set_server(session.server());
    item.set_method(call.method);
    item.set_target(call.target);
    *item.mutable_was() = std::move(was);
    if (judgement.answer.has_value()) *item.mutable_would_be() = *std::move(judgement.answer);
    item.set_undecided(std::move(judgement.undecided));
    return sink_(response);
  }

  Database& control_;
  CallJudge& judge_;
  RulesThen& then_;
  Sink sink_;
  admin::v1::SimulationSummary summary_;
  uint64_t listed_ = 0;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<std::vector<Document>> SimulatePolicy::DocumentsOf(
    const admin::v1::SimulatePolicyRequest& request) const {
  ASSIGN_OR_RETURN(std::vector<ParsedDocument> parsed, ParseFiles(request.files()));
  std::vector<Document> documents;
  if (!request.alone()) {
    ASSIGN_OR_RETURN(const auto t, control_.Read());
    ASSIGN_OR_RETURN(documents, documents::All(*t));
  }
  std::erase_if(documents, [&](const Document& document) {
    return document.has_lock() || std::any_of(parsed.begin(), parsed.end(), [&](const auto& one) {
             return IsSameKey(one.document, document);
           });
  });
  for (ParsedDocument& one : parsed) {
    RETURN_IF_ERROR(CheckRealms(one.Where(), one.document, realms_));
    documents.push_back(std::move(one.document));
  }
  if (const absl::Status masks = CheckAllMasks(documents, TextsOf(request.files())); !masks.ok()) {
    if (!request.alone()) return masks;
    return absl::InvalidArgumentError(
        absl::StrCat(masks.message(),
                     "; `--alone` leaves out what is in force: give the files of the "
                     "mask profiles, too"));
  }
  return documents;
}

absl::Status SimulatePolicy::Run(
    const Caller& caller, const admin::v1::SimulatePolicyRequest& request,
    absl::FunctionRef<bool(const SimulatePolicyResponse&)> sink) const {
  const bool may_read = MayReadRecordings(caller);
  RETURN_IF_ERROR(
      NoteReading(control_, caller, clock_.Now(), "policy.simulate", request.calls(), may_read));
  if (!may_read) {
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING,
                  "recordings are read by admins and auditors, with a token of their own");
  }
  ASSIGN_OR_RETURN(const CallFilter filter, FilterOf(request.calls(), clock_.Now()));
  ASSIGN_OR_RETURN(std::vector<Document> documents, DocumentsOf(request));
  ASSIGN_OR_RETURN(RulesThen then, ReadRulesThen(control_, documents));
  ASSIGN_OR_RETURN(CallJudge judge, CallJudge::Create(std::move(documents)));
  Simulation simulation(control_, judge, then, sink);
  ProgressReport progress(clock_);
  ASSIGN_OR_RETURN(
      const CallsRead read,
      calls_(
          filter,
          [&](const types::v1::Session& session, const RecordedCall& call) {
            return simulation.Take(session, call);
          },
          [&](const CallsRead& so_far) { return !progress.IsDue() || simulation.Report(so_far); }));
  RETURN_IF_ERROR(simulation.status());
  if (read.of == 0) RETURN_IF_ERROR(CheckNames(control_, filter));
  simulation.Finish(read);
  return absl::OkStatus();
}

}  // namespace sallyport::controlplane
