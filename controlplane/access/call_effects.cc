#include "controlplane/access/call_effects.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/policy/compile_rule.h"
#include "common/policy/rule_body.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/access/call_request.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/documents.h"
#include "controlplane/store/used_effects.h"

namespace sallyport::controlplane {

using agent::v1::OnceEffect;
using agent::v1::TouchedObjects;
using types::v1::RuleBody;

namespace {

// More than a message has room for; sums of them stay far from overflow.
constexpr uint64_t kMaxObjects = 1'000'000'000;

// One call, and what is asked about it.
struct Holder {
  Transaction& t;
  const Session& session;
  const NamedEffects& effects;
  const std::vector<ReservedCall>& repeated;
  const absl::Time now;
};

absl::Status PolicyChanged(std::string_view what) {
  return Denied(types::v1::DENIAL_REASON_POLICY_CHANGED,
                "the policies in force have " + std::string(what));
}

// The rules that `named` names, in an order of their own, each with the window of its limit.
// POLICY_CHANGED where the policy has no such rules about the tool that `has` holds for.
template <class Named, class Has>
absl::StatusOr<std::vector<RuleBody>> RulesOf(const Holder& holder, const Named& named,
                                              std::string_view what, Has has) {
  ASSIGN_OR_RETURN(const std::optional<types::v1::Document> document,
                   documents::Find(holder.t, types::v1::DOCUMENT_KIND_POLICY, named.policy()));
  const absl::Status changed = PolicyChanged(absl::StrCat("no such `", ToAbsl(what), "`"));
  if (!document.has_value() || named.rules().empty()) return changed;
  std::vector<RuleBody> rules;
  for (const int index : named.rules()) {
    if (index < 0 || index >= document->policy().rules_size()) return changed;
    const types::v1::Rule& rule = document->policy().rules(index);
    const RuleBody& body = BodyOf(rule);
    if (!NamesTool(body, holder.effects.target) || !has(body)) return changed;
    RuleBody& mine = rules.emplace_back(body);
    if (mine.has_limit()) {
      *mine.mutable_limit()->mutable_window() =
          ToProto(WindowOf(body.limit(), document->policy().session()));
    }
  }
  return rules;
}

absl::Status HoldOnce(const Holder& holder, const OnceEffect& effect, calls::Holdings& holdings) {
  RETURN_IF_ERROR(CheckDigest("once.digest", effect.digest()));
  const auto is_by = [&](const RuleBody& rule) {
    return rule.has_once() && std::ranges::is_permutation(rule.once().by(), effect.by());
  };
  ASSIGN_OR_RETURN(const std::vector<RuleBody> rules, RulesOf(holder, effect, "once", is_by));
  const types::v1::Session& session = holder.session.proto();
  for (const RuleBody& rule : rules) {
    RETURN_IF_ERROR(used_effects::CheckOnce(holder.t, session.server(), rule, effect.digest(),
                                            holder.repeated, holder.now));
    holdings.holds_for_good = holdings.holds_for_good || !rule.once().has_within();
  }
  if (std::ranges::count(holdings.once_digests, effect.digest()) == 0)
    holdings.once_digests.push_back(effect.digest());
  return absl::OkStatus();
}

// That some rule of the policy counts them for its window, whether or not it applies.
absl::Status CheckCounted(const Holder& holder, const TouchedObjects& touched) {
  ASSIGN_OR_RETURN(const std::optional<types::v1::Document> document,
                   documents::Find(holder.t, types::v1::DOCUMENT_KIND_POLICY, touched.policy()));
  const auto counts = [&](const types::v1::Rule& rule) {
    const RuleBody& body = BodyOf(rule);
    return body.limit().count() == touched.count() && body.limit().per_window() != 0 &&
           NamesTool(body, holder.effects.target);
  };
  if (document.has_value() && std::ranges::any_of(document->policy().rules(), counts))
    return absl::OkStatus();
  return PolicyChanged("no such `limit`");
}

absl::Status HoldObjects(const Holder& holder, const TouchedObjects& touched,
                         calls::Holdings& holdings) {
  if (touched.objects() > kMaxObjects)
    return absl::InvalidArgumentError("a call touches a billion objects at most");
  const auto counts = [&](const RuleBody& rule) {
    return rule.has_limit() && rule.limit().count() == touched.count();
  };
  if (touched.rules().empty()) {
    RETURN_IF_ERROR(CheckCounted(holder, touched));
  } else {
    ASSIGN_OR_RETURN(const std::vector<RuleBody> rules, RulesOf(holder, touched, "limit", counts));
    const types::v1::Session& session = holder.session.proto();
    for (const RuleBody& rule : rules) {
      RETURN_IF_ERROR(used_effects::CheckLimit(holder.t, session.principal(), session.server(),
                                               rule, touched.objects(), holder.now));
    }
  }
  // Two policies may count the same argument, which touches its objects once.
  const auto counted =
      std::ranges::find(holdings.objects, touched.count(), &calls::Objects::counted);
  if (counted == holdings.objects.end()) {
    holdings.objects.push_back({touched.count(), touched.objects()});
  } else {
    counted->objects = std::max(counted->objects, touched.objects());
  }
  return absl::OkStatus();
}

// All of the rules that hold for the masked arguments hold for the true ones.
template <class Named>
bool NamesAll(const Named& named, const std::vector<int>& rules) {
  return std::ranges::all_of(
      rules, [&](const int rule) { return std::ranges::count(named.rules(), rule) > 0; });
}

// What the policies ask for here, the agent must have named: it has seen more of the arguments.
absl::Status CheckComplete(const NamedEffects& effects, const CallDecision& decision) {
  for (const OnceDemand& demand : decision.once) {
    const auto is_named = [&](const OnceEffect& effect) {
      return effect.policy() == demand.policy && std::ranges::equal(effect.by(), demand.by) &&
             NamesAll(effect, demand.rules);
    };
    if (std::ranges::none_of(effects.once, is_named))
      return PolicyChanged("a `once` that the agent does not name");
  }
  for (const LimitDemand& demand : decision.limits) {
    const auto is_named = [&](const TouchedObjects& touched) {
      // Whoever counts them, they are counted.
      return touched.count() == demand.count &&
             (demand.rules.empty() ||
              (touched.policy() == demand.policy && NamesAll(touched, demand.rules)));
    };
    if (std::ranges::none_of(effects.touched, is_named))
      return PolicyChanged("a `limit` that the agent does not name");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<calls::Holdings> HoldEffects(Transaction& t, const Session& session,
                                            const NamedEffects& effects,
                                            const CallDecision& decision,
                                            const std::vector<ReservedCall>& repeated,
                                            absl::Time now) {
  RETURN_IF_ERROR(CheckComplete(effects, decision));
  const Holder holder{
      .t = t, .session = session, .effects = effects, .repeated = repeated, .now = now};
  calls::Holdings holdings;
  for (const OnceEffect& effect : effects.once) RETURN_IF_ERROR(HoldOnce(holder, effect, holdings));
  for (const TouchedObjects& touched : effects.touched)
    RETURN_IF_ERROR(HoldObjects(holder, touched, holdings));
  return holdings;
}

}  // namespace sallyport::controlplane
