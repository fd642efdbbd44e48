#include "controlplane/store/documents.h"

#include <utility>

#include "common/json_printer.h"
#include "common/snapshot_limits.h"
#include "common/status_macros.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/locks.h"
#include "controlplane/store/meta.h"

namespace sallyport::controlplane::documents {
namespace {

constexpr char kInForce[] =
    "select v.document from documents d join document_versions v using (kind, name, version) ";

absl::StatusOr<std::vector<types::v1::Document>> Every(Statement& list) {
  std::vector<types::v1::Document> found;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) return found;
    RETURN_IF_ERROR(list.Read(0, &found.emplace_back()));
  }
}

// Over columns document, is_deletion, restored_from.
absl::Status ReadVersion(const Statement& row, Version& version) {
  RETURN_IF_ERROR(row.Read(0, &version.document));
  version.is_deletion = row.boolean(1);
  version.restored_from = static_cast<uint64_t>(row.integer(2));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Version>> EveryVersion(Statement& list) {
  std::vector<Version> found;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) return found;
    RETURN_IF_ERROR(ReadVersion(list, found.emplace_back()));
  }
}

// 0: there never was one.
absl::StatusOr<uint64_t> LatestVersion(Transaction& t, types::v1::DocumentKind kind,
                                       std::string_view name) {
  Statement find = t.Prepare(
      "select coalesce(max(version), 0) from document_versions where kind = ? and name = ?");
  find.Int(kind).Text(name);
  RETURN_IF_ERROR(find.Step().status());
  return static_cast<uint64_t>(find.integer(0));
}

// The next version of (kind, name), by `caller`, now: `version.document` gets what says so.
absl::Status Append(WriteTransaction& t, Version& version, const Caller& caller, absl::Time now) {
  types::v1::Document& document = version.document;
  ASSIGN_OR_RETURN(const uint64_t latest, LatestVersion(t, document.kind(), document.name()));
  document.set_version(latest + 1);
  *document.mutable_updated_at() = ToProto(now);
  document.set_updated_by(ActorName(caller));
  return t
      .Prepare(
          "insert into document_versions (kind, name, version, is_deletion, restored_from, "
          "document) values (?, ?, ?, ?, ?, ?)")
      .Int(document.kind())
      .Text(document.name())
      .Int(static_cast<int64_t>(document.version()))
      .Bool(version.is_deletion)
      .Int(static_cast<int64_t>(version.restored_from))
      .Proto(document)
      .Run();
}

// Locks that nobody deletes pile up: each end of a session may set one.
absl::Status CheckLockRoom(Transaction& t) {
  Statement sum = t.Prepare(
      "select coalesce(sum(length(v.document)), 0) from documents d join document_versions v using "
      "(kind, name, version) where d.kind = ?");
  sum.Int(types::v1::DOCUMENT_KIND_LOCK);
  RETURN_IF_ERROR(sum.Step().status());
  if (static_cast<std::size_t>(sum.integer(0)) <= kMaxLockBytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      "the locks in force would be more than 8 MiB, which is what agents take of them: delete "
      "those "
      "that are needed no longer (sallyport get lock); nothing was changed");
}

// Agents and auditors hear of the version that was appended.
absl::Status Announce(WriteTransaction& t, const Version& version, const Caller& caller,
                      absl::Time now) {
  const types::v1::Document& document = version.document;
  std::string detail = "version " + std::to_string(document.version());
  if (version.restored_from != 0) {
    detail += ", the content of version " + std::to_string(version.restored_from);
  }
  RETURN_IF_ERROR(meta::BumpDocuments(t));
  return audit_log::Append(
      t, audit_log::LineOf(caller, now, version.is_deletion ? "document.delete" : "document.put",
                           EnumWord(document.kind()) + "/" + document.name(), std::move(detail)));
}

}  // namespace

absl::StatusOr<std::optional<types::v1::Document>> Find(Transaction& t,
                                                        types::v1::DocumentKind kind,
                                                        std::string_view name) {
  Statement find = t.Prepare(std::string(kInForce) + "where d.kind = ? and d.name = ?");
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
      t.Prepare(std::string(kInForce) + "where d.kind = ? and d.name > ? order by d.name limit ?");
  list.Int(kind).Text(after_name).Int(limit);
  return Every(list);
}

absl::StatusOr<std::vector<types::v1::Document>> All(Transaction& t) {
  Statement list = t.Prepare(std::string(kInForce) + "order by d.kind, d.name");
  return Every(list);
}

absl::StatusOr<std::optional<Version>> FindVersion(Transaction& t, types::v1::DocumentKind kind,
                                                   std::string_view name, uint64_t version) {
  Statement find = t.Prepare(
      "select document, is_deletion, restored_from from document_versions where kind = ? and name "
      "= ? and version = ?");
  find.Int(kind).Text(name).Int(static_cast<int64_t>(version));
  ASSIGN_OR_RETURN(const bool row, find.Step());
  if (!row) return std::nullopt;
  Version found;
  RETURN_IF_ERROR(ReadVersion(find, found));
  return found;
}

absl::StatusOr<std::vector<Version>> History(Transaction& t, types::v1::DocumentKind kind,
                                             std::string_view name, uint64_t before, int limit) {
  Statement list = t.Prepare(
      "select document, is_deletion, restored_from from document_versions where kind = ? and name "
      "= ? and (? = 0 or version < ?) order by version desc limit ?");
  const auto bound = static_cast<int64_t>(before);
  list.Int(kind).Text(name).Int(bound).Int(bound).Int(limit);
  return EveryVersion(list);
}

absl::StatusOr<std::vector<Version>> Versions(Transaction& t, types::v1::DocumentKind kind) {
  Statement list = t.Prepare(
      "select document, is_deletion, restored_from from document_versions where kind = ? order by "
      "name, version");
  list.Int(kind);
  return EveryVersion(list);
}

absl::StatusOr<Put> PutDocument(WriteTransaction& t, const types::v1::Document& document,
                                const Caller& caller, absl::Time now, uint64_t restored_from) {
  ASSIGN_OR_RETURN(const std::optional<types::v1::Document> before,
                   Find(t, document.kind(), document.name()));
  if (before.has_value() && before->source() == document.source()) return Put{.document = *before};
  Version version{.document = document, .restored_from = restored_from};
  RETURN_IF_ERROR(Append(t, version, caller, now));
  RETURN_IF_ERROR(t.Prepare("insert into documents (kind, name, version) values (?, ?, ?)"
                            " on conflict (kind, name) do update set version = excluded.version")
                      .Int(document.kind())
                      .Text(document.name())
                      .Int(static_cast<int64_t>(version.document.version()))
                      .Run());
  RETURN_IF_ERROR(Announce(t, version, caller, now));
  if (document.kind() == types::v1::DOCUMENT_KIND_LOCK) {
    RETURN_IF_ERROR(CheckLockRoom(t));
    RETURN_IF_ERROR(locks::Enforce(t, version.document, caller, now));
  }
  return Put{.document = std::move(version.document),
             .is_created = !before.has_value(),
             .is_changed = true};
}

absl::StatusOr<bool> DeleteDocument(WriteTransaction& t, types::v1::DocumentKind kind,
                                    std::string_view name, const Caller& caller, absl::Time now) {
  ASSIGN_OR_RETURN(const int64_t deleted,
                   t.Prepare("delete from documents where kind = ? and name = ?")
                       .Int(kind)
                       .Text(name)
                       .RunCounted());
  if (deleted == 0) return false;
  Version version{.is_deletion = true};
  version.document.set_kind(kind);
  version.document.set_name(std::string(name));
  RETURN_IF_ERROR(Append(t, version, caller, now));
  RETURN_IF_ERROR(Announce(t, version, caller, now));
  return true;
}

}  // namespace sallyport::controlplane::documents
