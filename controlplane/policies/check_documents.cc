#include "controlplane/policies/check_documents.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/nearest_words.h"
#include "common/policy/approvers.h"
#include "common/status_macros.h"

namespace sallyport::controlplane {
namespace {

absl::Status CheckRealm(const std::string& where, const std::string& realm,
                        const std::set<std::string>& known) {
  if (known.count(realm) > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(where, ": no issuer entry has the realm \"", realm, "\"",
                   DidYouMean(realm, {known.begin(), known.end()}),
                   "; there are: ", known.empty() ? "none" : absl::StrJoin(known, ", ")));
}

// `what` is what they are: "approver" or "owner".
template <class Names>
absl::Status CheckPeople(const std::string& where, const char* what, const Names& names,
                         const KnownRealms& realms) {
  for (const std::string& name : names) {
    const std::string realm(RealmOf(name));
    if (realms.with_people.count(realm) > 0) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        where, ": ", what, " \"", name, "\": nobody of the realm \"", realm,
        "\" can sign in to decide; that takes an issuer entry with token_kind: id_token, or "
        "admin_audiences. Realms with people: ",
        realms.with_people.empty() ? "none" : absl::StrJoin(realms.with_people, ", ")));
  }
  return absl::OkStatus();
}

// A claim that nothing maps would name nobody, ever.
absl::Status CheckClaims(const std::string& where, const types::v1::PrincipalMatch& match,
                         const KnownRealms& realms) {
  const auto found = realms.claims.find(match.realm());
  for (const auto& [name, values] : match.claims()) {
    if (found != realms.claims.end() && found->second.count(name) > 0) continue;
    return absl::InvalidArgumentError(absl::StrCat(where, ": no issuer entry of the realm \"",
                                                   match.realm(), "\" maps the claim \"", name,
                                                   "\" (claims.attributes)"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckDocumentKind(types::v1::DocumentKind kind) {
  if (!DocumentKindName(kind).empty()) return absl::OkStatus();
  return absl::InvalidArgumentError("kind: expected policy, mask-profile, server or lock");
}

absl::Status CheckRealms(const std::string& where, const types::v1::Document& document,
                         const KnownRealms& realms) {
  if (document.has_lock()) {
    if (!document.lock().has_principal()) return absl::OkStatus();
    return CheckRealm(where, document.lock().principal().realm(), realms.all);
  }
  if (document.has_server()) {
    if (document.server().owner().empty()) return absl::OkStatus();
    return CheckRealm(where, std::string(RealmOf(document.server().owner())), realms.all);
  }
  const types::v1::PolicySpec& policy = document.policy();
  for (const types::v1::PrincipalMatch& match : policy.principals()) {
    RETURN_IF_ERROR(CheckRealm(where, match.realm(), realms.all));
    RETURN_IF_ERROR(CheckClaims(where, match, realms));
    RETURN_IF_ERROR(CheckPeople(where, "owner", match.owners(), realms));
  }
  RETURN_IF_ERROR(CheckPeople(where, "approver", policy.session().approval().approvers(), realms));
  for (const std::string& group : policy.session().break_glass().groups()) {
    RETURN_IF_ERROR(CheckRealm(where, std::string(RealmOf(group)), realms.all));
  }
  for (const types::v1::Rule& rule : policy.rules()) {
    RETURN_IF_ERROR(CheckPeople(where, "approver", rule.require_approval().approvers(), realms));
  }
  return absl::OkStatus();
}

absl::Status CheckMasks(const std::vector<types::v1::Document>& all,
                        std::span<const NamedText> texts) {
  std::set<std::string> profiles;
  for (const types::v1::Document& document : all) {
    if (document.has_mask_profile()) profiles.insert(document.name());
  }
  return CheckMaskNames(all, profiles, texts);
}

}  // namespace sallyport::controlplane
