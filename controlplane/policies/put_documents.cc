#include "controlplane/policies/put_documents.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/json_printer.h"
#include "common/status_macros.h"
#include "common/time_text.h"
#include "controlplane/policies/check_documents.h"
#include "controlplane/policies/lock_warnings.h"
#include "controlplane/policies/policy_warnings.h"
#include "controlplane/policies/snapshot_documents.h"
#include "controlplane/policies/unified_diff.h"
#include "controlplane/store/documents.h"
#include "controlplane/store/known_servers.h"

namespace sallyport::controlplane {
namespace {

std::string InForce(const std::optional<types::v1::Document>& document) {
  if (!document.has_value()) return "there is none in force";
  return absl::StrCat("version ", document->version(), " is in force, by ", document->updated_by(),
                      " at ", TimeText(absl::FromUnixSeconds(document->updated_at().seconds())));
}

}  // namespace

std::string NameOf(types::v1::DocumentKind kind, const std::string& name) {
  return absl::StrCat(absl::StrReplaceAll(EnumWord(kind), {{"_", "-"}}), "/", name);
}

absl::Status CheckBase(const std::string& what, const std::optional<types::v1::Document>& in_force,
                       uint64_t base) {
  if ((in_force.has_value() ? in_force->version() : 0) == base) return absl::OkStatus();
  return absl::AbortedError(
      absl::StrCat(what, ": was changed meanwhile: ",
                   base == 0 ? "there was none" : absl::StrCat("it was made from version ", base),
                   ", and ", InForce(in_force), "; nothing was changed"));
}

absl::StatusOr<Replaced> PutOver(WriteTransaction& t, const NewDocument& put, const Caller& caller,
                                 absl::Time now) {
  const types::v1::Document& document = put.document;
  Replaced replaced;
  ASSIGN_OR_RETURN(replaced.before, documents::Find(t, document.kind(), document.name()));
  const bool is_there =
      replaced.before.has_value() && replaced.before->source() == document.source();
  if (put.base_version.has_value() && !is_there) {
    RETURN_IF_ERROR(
        CheckBase(NameOf(document.kind(), document.name()), replaced.before, *put.base_version));
  }
  ASSIGN_OR_RETURN(documents::Put stored,
                   documents::PutDocument(t, document, caller, now, put.restored_from));
  replaced.after = std::move(stored.document);
  replaced.is_changed = stored.is_changed;
  return replaced;
}

absl::Status CheckInForce(Transaction& t, const std::vector<Replaced>& put,
                          std::span<const NamedText> texts) {
  ASSIGN_OR_RETURN(std::vector<types::v1::Document> all, documents::All(t));
  RETURN_IF_ERROR(CheckMasks(all, texts));
  return CheckSnapshotRoom(t, std::move(all), put);
}

absl::Status AddWarnings(Transaction& t, const Caller& caller, absl::Time now, Replaced& replaced) {
  if (replaced.after.has_lock()) {
    ASSIGN_OR_RETURN(replaced.warnings, LockWarnings(t, replaced.after, caller, now));
  }
  if (replaced.after.has_policy()) {
    ASSIGN_OR_RETURN(replaced.warnings, PolicyWarnings(t, replaced.after.policy(), now));
  }
  if (replaced.after.has_server()) {
    ASSIGN_OR_RETURN(const std::vector<std::string> fronted, known_servers::Fronted(t));
    replaced.warnings = {known_servers::WhyUnknown(fronted, replaced.after.name())};
    std::erase(replaced.warnings, "");
  }
  return absl::OkStatus();
}

admin::v1::AppliedDocument Describe(const Replaced& replaced) {
  admin::v1::AppliedDocument applied;
  applied.set_kind(replaced.after.kind());
  applied.set_name(replaced.after.name());
  applied.set_version(replaced.after.version());
  if (replaced.before.has_value()) applied.set_previous_version(replaced.before->version());
  for (const std::string& warning : replaced.warnings) applied.add_warnings(warning);
  if (!replaced.is_changed) {
    applied.set_change(admin::v1::CHANGE_KIND_UNCHANGED);
    return applied;
  }
  const std::string name = NameOf(applied.kind(), applied.name());
  applied.set_change(replaced.before.has_value() ? admin::v1::CHANGE_KIND_CHANGED
                                                 : admin::v1::CHANGE_KIND_CREATED);
  applied.set_diff(UnifiedDiff(
      replaced.before.has_value() ? replaced.before->source() : "", replaced.after.source(),
      replaced.before.has_value() ? absl::StrCat(name, " version ", replaced.before->version())
                                  : "/dev/null",
      absl::StrCat(name, " version ", applied.version())));
  return applied;
}

}  // namespace sallyport::controlplane
