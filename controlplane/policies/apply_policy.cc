#include "controlplane/policies/apply_policy.h"

#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/denial.h"
#include "common/policy/approvers.h"
#include "common/policy/documents.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/store/documents.h"

namespace sallyport::controlplane {
namespace {

struct ParsedFile {
  std::string name;
  std::vector<types::v1::Document> documents;
};

std::string Named(const std::string& file, const types::v1::Document& document) {
  return absl::StrCat(file, ": ", ToAbsl(DocumentKindName(document.kind())), " ", document.name());
}

absl::StatusOr<std::vector<ParsedFile>> ParseAll(const admin::v1::ApplyDocumentsRequest& request) {
  if (request.files().empty()) return absl::InvalidArgumentError("files: at least one is required");
  std::vector<ParsedFile> files;
  std::map<std::pair<int, std::string>, std::string> seen;
  for (const admin::v1::SourceFile& source : request.files()) {
    if (source.name().empty()) return absl::InvalidArgumentError("files: a name is missing");
    ASSIGN_OR_RETURN(std::vector<types::v1::Document> documents,
                     ParseDocuments(source.text(), source.name()));
    for (const types::v1::Document& document : documents) {
      const auto [first, is_new] =
          seen.try_emplace({document.kind(), document.name()}, source.name());
      if (!is_new) {
        return absl::InvalidArgumentError(
            absl::StrCat(Named(source.name(), document), ": is in ", first->second, " too"));
      }
    }
    files.push_back({source.name(), std::move(documents)});
  }
  if (seen.empty()) return absl::InvalidArgumentError("files: there is no document in them");
  return files;
}

absl::Status CheckRealm(const std::string& where, const std::string& realm,
                        const std::set<std::string>& known) {
  if (known.count(realm) > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(where, ": no issuer entry has the realm \"", realm,
                   "\"; there are: ", known.empty() ? "none" : absl::StrJoin(known, ", ")));
}

template <class Names>
absl::Status CheckApprovers(const std::string& where, const Names& approvers,
                            const KnownRealms& realms) {
  for (const std::string& approver : approvers) {
    const std::string realm(RealmOf(approver));
    if (realms.with_people.count(realm) > 0) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        where, ": approver \"", approver, "\": nobody of the realm \"", realm,
        "\" can sign in to decide; that takes an issuer entry with token_kind: id_token, or "
        "admin_audiences. Realms with people: ",
        realms.with_people.empty() ? "none" : absl::StrJoin(realms.with_people, ", ")));
  }
  return absl::OkStatus();
}

absl::Status CheckRealms(const std::string& where, const types::v1::Document& document,
                         const KnownRealms& realms) {
  if (document.has_lock()) {
    if (!document.lock().has_principal()) return absl::OkStatus();
    return CheckRealm(where, document.lock().principal().realm(), realms.all);
  }
  const types::v1::PolicySpec& policy = document.policy();
  for (const types::v1::PrincipalMatch& match : policy.principals()) {
    RETURN_IF_ERROR(CheckRealm(where, match.realm(), realms.all));
  }
  RETURN_IF_ERROR(CheckApprovers(where, policy.session().approval().approvers(), realms));
  for (const types::v1::Rule& rule : policy.rules()) {
    RETURN_IF_ERROR(CheckApprovers(where, rule.require_approval().approvers(), realms));
  }
  return absl::OkStatus();
}

// Over all documents there will be, since a profile may come in the same request as its policy.
absl::Status CheckMasks(Transaction& t) {
  ASSIGN_OR_RETURN(const std::vector<types::v1::Document> all, documents::All(t));
  std::set<std::string> profiles;
  for (const types::v1::Document& document : all) {
    if (document.has_mask_profile()) profiles.insert(document.name());
  }
  return CheckMaskNames(all, profiles);
}

}  // namespace

absl::StatusOr<admin::v1::ApplyDocumentsResponse> ApplyPolicy::Run(
    const Caller& caller, const admin::v1::ApplyDocumentsRequest& request) {
  if (!caller.is_admin()) {
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "documents are applied by admins");
  }
  ASSIGN_OR_RETURN(const std::vector<ParsedFile> files, ParseAll(request));
  for (const ParsedFile& file : files) {
    for (const types::v1::Document& document : file.documents) {
      RETURN_IF_ERROR(CheckRealms(Named(file.name, document), document, realms_));
    }
  }

  ASSIGN_OR_RETURN(const auto t, control_.Write());
  admin::v1::ApplyDocumentsResponse response;
  for (const ParsedFile& file : files) {
    for (const types::v1::Document& document : file.documents) {
      ASSIGN_OR_RETURN(const documents::Put put,
                       documents::PutDocument(*t, document, caller, clock_.Now()));
      admin::v1::AppliedDocument& applied = *response.add_documents();
      applied.set_kind(document.kind());
      applied.set_name(document.name());
      applied.set_version(put.document.version());
      applied.set_change(put.is_created   ? admin::v1::CHANGE_KIND_CREATED
                         : put.is_changed ? admin::v1::CHANGE_KIND_CHANGED
                                          : admin::v1::CHANGE_KIND_UNCHANGED);
    }
  }
  RETURN_IF_ERROR(CheckMasks(*t));
  // A dry run is the whole thing but for the commit.
  if (!request.dry_run()) RETURN_IF_ERROR(t->Commit());
  return response;
}

}  // namespace sallyport::controlplane
