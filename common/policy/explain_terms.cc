#include "common/policy/explain_terms.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/policy/open_terms.h"
#include "common/policy/proto_duration.h"
#include "common/strings.h"
#include "common/time_text.h"

namespace sallyport {
namespace {

using google::protobuf::Duration;
using types::v1::EffectiveTerms;
using types::v1::SessionLimit;
using types::v1::SessionTerms;

std::string Text(const Duration& duration) { return DurationText(ToAbslDuration(duration)); }

bool Is(bool is_set, const Duration& said, const Duration& effective) {
  return is_set && ToAbslDuration(said) == ToAbslDuration(effective);
}

std::string LimitText(const SessionLimit& limit) {
  const std::string_view per =
      limit.per() == types::v1::LIMIT_SCOPE_PRINCIPAL ? "principal" : "session";
  return limit.concurrent() != 0
             ? absl::StrCat(limit.concurrent(), " calls at a time per ", ToAbsl(per))
             : absl::StrCat(limit.calls(), " calls within ", Text(limit.within()), " per ",
                            ToAbsl(per));
}

// Whose words the terms are.
class Terms {
 public:
  Terms(const std::vector<const CompiledPolicy*>& policies, absl::Time now)
      : policies_(policies), now_(now) {}

  // `says`: whether a policy's own words make the term what it is. Nobody's are a default, which is
  // left out.
  void Add(std::string_view term, std::string value,
           absl::FunctionRef<bool(const SessionTerms&)> says) {
    Take(term, std::move(value), Documents(says, /*may_observe=*/true));
  }
  // The same of what a policy that observes does not ask for.
  void AddDemand(std::string_view term, std::string value,
                 absl::FunctionRef<bool(const SessionTerms&)> says) {
    Take(term, std::move(value), Documents(says, /*may_observe=*/false));
  }
  void AddLimit(const SessionLimit& limit, std::string_view server,
                const types::v1::ServerSpec* spec) {
    std::vector<std::string> documents = Documents(
        [&](const SessionTerms& session) { return HasLimit(session.limits(), limit); }, true);
    if (spec != nullptr && HasLimit(spec->limits(), limit))
      documents.push_back(absl::StrCat("server/", ToAbsl(server)));
    Take("limits", LimitText(limit), std::move(documents));
  }
  std::vector<types::v1::TermExplanation> Take() && { return std::move(terms_); }

 private:
  std::vector<std::string> Documents(absl::FunctionRef<bool(const SessionTerms&)> says,
                                     bool may_observe) const {
    std::vector<std::string> documents;
    for (const CompiledPolicy* policy : policies_) {
      if (!may_observe && policy->IsObserving(now_)) continue;
      if (says(policy->spec.session())) documents.push_back(absl::StrCat("policy/", policy->name));
    }
    return documents;
  }
  void Take(std::string_view term, std::string value, std::vector<std::string> documents) {
    if (documents.empty()) return;
    types::v1::TermExplanation& explained = terms_.emplace_back();
    explained.set_term(std::string(term));
    explained.set_value(std::move(value));
    explained.mutable_documents()->Assign(documents.begin(), documents.end());
  }

  const std::vector<const CompiledPolicy*>& policies_;
  const absl::Time now_;
  std::vector<types::v1::TermExplanation> terms_;
};

void AddDemands(const OpenDecision& open, Terms& terms) {
  if (open.terms.has_approval()) {
    const types::v1::ApprovalTerms& approval = open.terms.approval();
    terms.AddDemand(
        "approval",
        absl::StrCat(approval.count(), " of ", absl::StrJoin(approval.approvers(), ", "), ", for ",
                     Text(approval.expires_after())),
        [](const SessionTerms& session) { return session.has_approval(); });
  }
  if (open.break_glass.has_value()) {
    terms.AddDemand("break_glass",
                    absl::StrCat("the principal may, for ", DurationText(*open.break_glass)),
                    [](const SessionTerms& session) { return session.has_break_glass(); });
  }
  if (open.terms.open() == types::v1::OPEN_MODE_REQUEST) {
    terms.AddDemand("open", "request", [](const SessionTerms& session) {
      return session.open() == types::v1::OPEN_MODE_REQUEST;
    });
  }
}

void AddTimes(const EffectiveTerms& effective, Terms& terms) {
  terms.Add("max_duration", Text(effective.max_duration()), [&](const SessionTerms& session) {
    return Is(session.has_max_duration(), session.max_duration(), effective.max_duration());
  });
  terms.Add("idle_timeout", Text(effective.idle_timeout()), [&](const SessionTerms& session) {
    return Is(session.has_idle_timeout(), session.idle_timeout(), effective.idle_timeout());
  });
  terms.Add("disconnect_grace", Text(effective.disconnect_grace()),
            [&](const SessionTerms& session) {
              return Is(session.has_disconnect_grace(), session.disconnect_grace(),
                        effective.disconnect_grace());
            });
  if (effective.on_control_plane_loss() == types::v1::CONTROL_PLANE_LOSS_STRICT) {
    terms.Add("on_control_plane_loss", "strict", [](const SessionTerms& session) {
      return session.on_control_plane_loss() == types::v1::CONTROL_PLANE_LOSS_STRICT;
    });
  }
  terms.Add("lease", Text(effective.lease()), [&](const SessionTerms& session) {
    return Is(session.has_lease(), session.lease(), effective.lease());
  });
}

}  // namespace

std::vector<types::v1::TermExplanation> ExplainTerms(
    const OpenDecision& open, const std::vector<const CompiledPolicy*>& policies,
    std::string_view server, const types::v1::ServerSpec* spec, absl::Time now) {
  const EffectiveTerms& effective = open.terms;
  Terms terms(policies, now);
  AddDemands(open, terms);
  AddTimes(effective, terms);
  terms.Add("bind", effective.bind() == types::v1::BIND_MODE_ADDRESS ? "address" : "principal",
            [&](const SessionTerms& session) { return session.bind() == effective.bind(); });
  if (effective.max_calls() != 0) {
    terms.Add("max_calls", absl::StrCat(effective.max_calls()), [&](const SessionTerms& session) {
      return session.max_calls() == effective.max_calls();
    });
  }
  for (const SessionLimit& limit : effective.limits()) terms.AddLimit(limit, server, spec);
  return std::move(terms).Take();
}

}  // namespace sallyport
