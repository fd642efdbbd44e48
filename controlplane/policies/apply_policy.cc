#include "controlplane/policies/apply_policy.h"

#include <algorithm>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/denial.h"
#include "common/status_macros.h"
#include "controlplane/policies/parse_files.h"
#include "controlplane/policies/put_documents.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/locks.h"

namespace sallyport::controlplane {
namespace {

// Each document with the version that the request has seen of it.
absl::StatusOr<std::vector<NewDocument>> WithBases(
    std::vector<ParsedDocument> parsed, const admin::v1::ApplyDocumentsRequest& request) {
  std::vector<NewDocument> documents;
  for (ParsedDocument& one : parsed) documents.push_back({.document = std::move(one.document)});
  for (const admin::v1::BaseVersion& base : request.base_versions()) {
    const auto of = std::find_if(documents.begin(), documents.end(), [&](const NewDocument& put) {
      return put.document.kind() == base.kind() && put.document.name() == base.name();
    });
    if (of == documents.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "base_versions: ", NameOf(base.kind(), base.name()), " is not among the documents"));
    }
    if (of->base_version.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat("base_versions: ", NameOf(base.kind(), base.name()), " stands there twice"));
    }
    of->base_version = base.version();
  }
  return documents;
}

absl::Status RefuseShutOut(WriteTransaction& t, const std::vector<NewDocument>& documents,
                           const Caller& caller, absl::Time now) {
  std::vector<std::string> names;
  for (const NewDocument& put : documents) {
    names.push_back(NameOf(put.document.kind(), put.document.name()));
  }
  return locks::RefuseShutOut(
      t, audit_log::LineOf(caller, now, "document.put", absl::StrJoin(names, " ")), caller, now);
}

}  // namespace

absl::StatusOr<admin::v1::ApplyDocumentsResponse> ApplyPolicy::Run(
    const Caller& caller, const admin::v1::ApplyDocumentsRequest& request) {
  if (!caller.is_admin()) {
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "documents are applied by admins");
  }
  ASSIGN_OR_RETURN(std::vector<ParsedDocument> parsed, ParseFiles(request.files()));
  for (const ParsedDocument& one : parsed) {
    RETURN_IF_ERROR(CheckRealms(one.Where(), one.document, realms_));
  }
  ASSIGN_OR_RETURN(const std::vector<NewDocument> documents, WithBases(std::move(parsed), request));

  // Other documents may take away, too; which of them do, nobody can tell from one alone.
  const bool are_locks = std::ranges::all_of(
      documents, [](const NewDocument& put) { return put.document.has_lock(); });
  std::vector<Replaced> replaced;
  RETURN_IF_ERROR(control_.Write(
      are_locks ? WriteFor::kRevocation : WriteFor::kOperators,
      [&](WriteTransaction& t) -> absl::Status {
        replaced.clear();
        const absl::Time now = clock_.Now();
        RETURN_IF_ERROR(RefuseShutOut(t, documents, caller, now));
        for (const NewDocument& document : documents) {
          ASSIGN_OR_RETURN(replaced.emplace_back(), PutOver(t, document, caller, now));
        }
        RETURN_IF_ERROR(CheckInForce(t, replaced, TextsOf(request.files())));
        for (Replaced& one : replaced) {
          RETURN_IF_ERROR(AddWarnings(t, caller, now, one));
        }
        // A dry run is the whole thing but for the commit.
        return request.dry_run() ? absl::OkStatus() : t.Commit();
      }));
  admin::v1::ApplyDocumentsResponse response;
  for (const Replaced& one : replaced) *response.add_documents() = Describe(one);
  return response;
}

}  // namespace sallyport::controlplane
