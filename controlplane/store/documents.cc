#include "controlplane/store/documents.h"

#include <utility>

#include "common/json_printer.h"
#include "common/status_macros.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/locks.h"
#include "controlplane/store/meta.h"

namespace sallyport::controlplane::documents {
namespace {

absl::StatusOr<std::vector<types::v1::Document>> Every(Statement& list) {
  std::vector<types::v1::Document> found;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) return found;
    RETURN_IF_ERROR(list.Read(0, &found.emplace_back()));
  }
}

// As audit lines name it: policy/deploy-bots.
std::string ObjectName(types::v1::DocumentKind kind, std::string_view name) {
  return EnumWord(kind) + "/" + std::string(name);
}

}  // namespace

absl::StatusOr<std::optional<types::v1::Document>> Find(Transaction& t,
                                                        types::v1::DocumentKind kind,
                                                        std::string_view name) {
  Statement find = t.Prepare("select document from documents where kind = ? and name = ?");
  find.Int(kind).Text(name);
  ASSIGN_OR_RETURN(const bool row, find.Step());
  if (!row) return std::nullopt;
  types::v1::Document document;
  RETURN_IF_ERROR(find.Read(0, &document));
  return document;
}

absl::StatusOr<std::vector<types::v1::Document>> List(Transaction& t, types::v1::DocumentKind kind,
                                                      std::string_view after_name, int limit) {
  Statement list =
      t.Prepare("select document from documents where kind = ? and name > ? order by name limit ?");
  list.Int(kind).Text(after_name).Int(limit);
  return Every(list);
}

absl::StatusOr<std::vector<types::v1::Document>> All(Transaction& t) {
  Statement list = t.Prepare("select document from documents order by kind, name");
  return Every(list);
}

absl::StatusOr<Put> PutDocument(WriteTransaction& t, const types::v1::Document& document,
                                const Caller& caller, absl::Time now) {
  ASSIGN_OR_RETURN(const std::optional<types::v1::Document> before,
                   Find(t, document.kind(), document.name()));
  if (before.has_value() && before->source() == document.source()) return Put{.document = *before};
  Put put{.document = document, .is_created = !before.has_value(), .is_changed = true};
  put.document.set_version(before.has_value() ? before->version() + 1 : 1);
  *put.document.mutable_updated_at() = ToProto(now);
  put.document.set_updated_by(ActorName(caller));
  RETURN_IF_ERROR(
      t.Prepare("insert into documents (kind, name, version, document) values (?, ?, ?, ?)"
                " on conflict (kind, name) do update set version = excluded.version, document = "
                "excluded.document")
          .Int(document.kind())
          .Text(document.name())
          .Int(static_cast<int64_t>(put.document.version()))
          .Proto(put.document)
          .Run());
  RETURN_IF_ERROR(meta::BumpSnapshot(t));
  RETURN_IF_ERROR(audit_log::Append(
      t,
      audit_log::LineOf(caller, now, "document.put", ObjectName(document.kind(), document.name()),
                        "version " + std::to_string(put.document.version()))));
  if (document.kind() == types::v1::DOCUMENT_KIND_LOCK)
    RETURN_IF_ERROR(locks::Enforce(t, put.document, caller, now));
  return put;
}

absl::StatusOr<bool> DeleteDocument(WriteTransaction& t, types::v1::DocumentKind kind,
                                    std::string_view name, const Caller& caller, absl::Time now) {
  ASSIGN_OR_RETURN(const int64_t deleted,
                   t.Prepare("delete from documents where kind = ? and name = ?")
                       .Int(kind)
                       .Text(name)
                       .RunCounted());
  if (deleted == 0) return false;
  RETURN_IF_ERROR(meta::BumpSnapshot(t));
  RETURN_IF_ERROR(audit_log::Append(
      t, audit_log::LineOf(caller, now, "document.delete", ObjectName(kind, name))));
  return true;
}

}  // namespace sallyport::controlplane::documents
