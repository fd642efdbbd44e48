#include "controlplane/store/meta.h"

#include "common/status_macros.h"

namespace sallyport::controlplane::meta {
namespace {

absl::StatusOr<std::optional<std::string>> Find(Transaction& t, std::string_view name) {
  Statement find = t.Prepare("select value from meta where name = ?");
  find.Text(name);
  ASSIGN_OR_RETURN(const bool row, find.Step());
  if (!row) return std::nullopt;
  return std::string(find.text(0));
}

absl::StatusOr<uint64_t> FindNumber(Transaction& t, std::string_view name) {
  Statement find = t.Prepare("select cast(value as integer) from meta where name = ?");
  find.Text(name);
  ASSIGN_OR_RETURN(const bool row, find.Step());
  if (!row) return absl::DataLossError("meta has no " + std::string(name));
  return static_cast<uint64_t>(find.integer(0));
}

}  // namespace

absl::StatusOr<std::string> DeploymentId(Transaction& t) {
  ASSIGN_OR_RETURN(std::optional<std::string> id, Find(t, "deployment_id"));
  if (!id.has_value()) return absl::DataLossError("meta has no deployment_id");
  return *std::move(id);
}

absl::StatusOr<SnapshotVersion> CurrentSnapshot(Transaction& t) {
  ASSIGN_OR_RETURN(const uint64_t epoch, FindNumber(t, "snapshot_epoch"));
  ASSIGN_OR_RETURN(const uint64_t version, FindNumber(t, "snapshot_version"));
  return SnapshotVersion{epoch, version};
}

absl::StatusOr<uint64_t> DocumentsVersion(Transaction& t) {
  return FindNumber(t, "documents_version");
}

absl::Status BumpSnapshot(WriteTransaction& t) {
  RETURN_IF_ERROR(t.Prepare("update meta set value = cast(cast(value as integer) + 1 as text) "
                            "where name = 'snapshot_version'")
                      .Run());
  t.Changed(ChangeKind::kSnapshot, "");
  return absl::OkStatus();
}

absl::Status BumpDocuments(WriteTransaction& t) {
  RETURN_IF_ERROR(BumpSnapshot(t));
  return t
      .Prepare(
          "update meta set value = (select value from meta where name = 'snapshot_version') "
          "where name = 'documents_version'")
      .Run();
}

absl::StatusOr<std::optional<std::string>> KeyFingerprint(Transaction& t,
                                                          std::string_view key_name) {
  return Find(t, "key_fingerprint/" + std::string(key_name));
}

absl::Status SetKeyFingerprint(WriteTransaction& t, std::string_view key_name,
                               std::string_view fingerprint) {
  return t
      .Prepare(
          "insert into meta (name, value) values (?, ?) on conflict (name) do update set value = "
          "excluded.value")
      .Text("key_fingerprint/" + std::string(key_name))
      .Text(fingerprint)
      .Run();
}

}  // namespace sallyport::controlplane::meta
