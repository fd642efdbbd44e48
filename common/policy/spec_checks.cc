#include "common/policy/spec_checks.h"

#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "common/policy/approvers.h"
#include "common/policy/decimal.h"
#include "common/policy/documents.h"
#include "common/policy/proto_duration.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/time_text.h"

namespace sallyport {
namespace {

constexpr absl::Duration kSecond = absl::Seconds(1);

absl::Status CheckApproval(const types::v1::ApprovalTerms& approval) {
  if (approval.approvers().empty()) return WrongAt("session.approval", "approvers is missing");
  for (const std::string& approver : approval.approvers()) {
    RETURN_IF_ERROR(CheckRealmName("session.approval.approvers", approver));
  }
  RETURN_IF_ERROR(CheckCount("session.approval.count", approval.count()));
  if (!approval.has_expires_after()) return absl::OkStatus();
  return CheckRange("session.approval.expires_after", approval.expires_after(), kSecond,
                    kLongestMaxDuration);
}

absl::Status CheckBreakGlass(const types::v1::SessionTerms& session) {
  const types::v1::BreakGlassTerms& terms = session.break_glass();
  if (!session.has_approval()) {
    return WrongAt("session.break_glass", "stands beside approval: there is no glass to break");
  }
  if (terms.groups().empty()) return WrongAt("session.break_glass", "groups is missing");
  for (const std::string& group : terms.groups()) {
    RETURN_IF_ERROR(CheckRealmName("session.break_glass.groups", group));
  }
  if (!terms.has_max_duration()) return absl::OkStatus();
  return CheckRange("session.break_glass.max_duration", terms.max_duration(), kSecond,
                    kLongestMaxDuration);
}

absl::Status CheckLimit(const std::string& place, const types::v1::SessionLimit& limit) {
  if (limit.per() == types::v1::LIMIT_SCOPE_UNSPECIFIED) {
    return WrongAt(place, "per is missing: session or principal");
  }
  const bool is_rate = limit.calls() != 0 || limit.has_within();
  if (is_rate == (limit.concurrent() != 0)) {
    return WrongAt(place, "needs either calls and within, or concurrent, and none of them 0");
  }
  if (!is_rate) return absl::OkStatus();
  if (limit.calls() == 0) return WrongAt(place, "calls is missing or 0");
  if (!limit.has_within()) return WrongAt(place, "within is missing");
  return CheckRange(place + ".within", limit.within(), kSecond, kLongestMaxDuration);
}

absl::Status CheckClaims(const std::string& place, const types::v1::PrincipalMatch& match) {
  for (const auto& [name, values] : match.claims()) {
    const std::string claim = absl::StrCat(place, ".claims.", name);
    if (name.empty()) return WrongAt(place + ".claims", "an empty name names no claim");
    if (values.values().empty()) return WrongAt(claim, "a value is missing");
    for (const types::v1::Scalar& value : values.values()) {
      if (value.has_null()) return WrongAt(claim, "no claim has the value null");
      if (value.has_number() && !Decimal::Parse(value.number())) {
        return WrongAt(claim, absl::StrCat(value.number(), " is no number that JSON can hold"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WrongAt(std::string_view place, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(ToAbsl(place), ": ", ToAbsl(what)));
}

absl::Status InPlace(std::string_view place, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(ToAbsl(place), ": ", status.message()));
}

absl::Status CheckRealmName(std::string_view place, std::string_view name) {
  const std::string_view realm = RealmOf(name);
  if (!realm.empty() && realm.size() + 1 != name.size()) return absl::OkStatus();
  return WrongAt(place,
                 absl::StrCat("\"", ToAbsl(name), "\" must be realm:group or realm:subject"));
}

absl::Status CheckRange(std::string_view place, const google::protobuf::Duration& duration,
                        absl::Duration shortest, absl::Duration longest) {
  const absl::Duration value = ToAbslDuration(duration);
  if (value >= shortest && value <= longest) return absl::OkStatus();
  return WrongAt(place, absl::StrCat("must be between ", FormatDuration(shortest), " and ",
                                     FormatDuration(longest)));
}

absl::Status CheckCount(std::string_view place, std::uint32_t count) {
  if (count <= kMostApprovers) return absl::OkStatus();
  return WrongAt(place, absl::StrCat("at most ", kMostApprovers, " people can be asked for"));
}

absl::Status CheckPrincipal(const std::string& place, const types::v1::PrincipalMatch& match) {
  if (match.realm().empty()) return WrongAt(place, "realm is missing");
  if (match.realm().find(':') != std::string::npos) {
    return WrongAt(place, "realm must not hold a colon");
  }
  for (const auto* list :
       {&match.subjects(), &match.client_ids(), &match.groups(), &match.scopes()}) {
    for (const std::string& value : *list) {
      if (value.empty()) return WrongAt(place, "an empty value names nobody");
    }
  }
  for (const std::string& group : match.groups()) {
    if (RealmOf(group) == match.realm()) {
      return WrongAt(place, absl::StrCat("groups are written without the realm here: \"", group,
                                         "\" would be ", match.realm(), ":", group));
    }
  }
  for (const std::string& owner : match.owners()) {
    RETURN_IF_ERROR(CheckRealmName(absl::StrCat(place, ".owners"), owner));
  }
  return CheckClaims(place, match);
}

absl::Status CheckSession(const types::v1::SessionTerms& session) {
  if (session.has_max_duration()) {
    RETURN_IF_ERROR(
        CheckRange("session.max_duration", session.max_duration(), kSecond, kLongestMaxDuration));
  }
  if (session.has_idle_timeout()) {
    RETURN_IF_ERROR(
        CheckRange("session.idle_timeout", session.idle_timeout(), kSecond, kLongestMaxDuration));
  }
  if (session.has_disconnect_grace()) {
    RETURN_IF_ERROR(CheckRange("session.disconnect_grace", session.disconnect_grace(),
                               absl::ZeroDuration(), absl::Hours(1)));
  }
  if (session.has_lease()) {
    RETURN_IF_ERROR(
        CheckRange("session.lease", session.lease(), kShortestLease, kLongestMaxDuration));
  }
  RETURN_IF_ERROR(CheckLimits("session.limits", session.limits()));
  if (session.has_break_glass()) RETURN_IF_ERROR(CheckBreakGlass(session));
  return session.has_approval() ? CheckApproval(session.approval()) : absl::OkStatus();
}

absl::Status CheckLimits(
    std::string_view place,
    const google::protobuf::RepeatedPtrField<types::v1::SessionLimit>& limits) {
  std::set<std::tuple<int, absl::Duration>> seen;
  for (int i = 0; i < limits.size(); ++i) {
    const std::string here = absl::StrCat(ToAbsl(place), "[", i, "]");
    RETURN_IF_ERROR(CheckLimit(here, limits[i]));
    if (!seen.emplace(limits[i].per(), ToAbslDuration(limits[i].within())).second) {
      return WrongAt(here, "a second limit of this kind");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckServer(const types::v1::ServerSpec& server) {
  if (!server.owner().empty()) RETURN_IF_ERROR(CheckRealmName("owner", server.owner()));
  for (const auto& [name, value] : server.labels()) {
    if (name.empty()) return WrongAt("labels", "an empty name");
  }
  return CheckLimits("limits", server.limits());
}

absl::Status CheckLock(const types::v1::LockSpec& lock) {
  const auto check = [](std::string_view place, const std::string& name) {
    if (name.find('*') == std::string::npos) return absl::OkStatus();
    return WrongAt(place, absl::StrCat("\"", name,
                                       "\": a lock takes names, not patterns; leave the key out to "
                                       "shut them all"));
  };
  RETURN_IF_ERROR(check("server", lock.server()));
  RETURN_IF_ERROR(check("agent", lock.agent()));
  if (lock.has_principal() && lock.principal().realm().empty()) {
    return WrongAt("principal", "realm is missing");
  }
  return absl::OkStatus();
}

}  // namespace sallyport
