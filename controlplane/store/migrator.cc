#include "controlplane/store/migrator.h"

#include <string>

#include "absl/time/clock.h"
#include "common/operator_detail.h"
#include "common/status_macros.h"

namespace sallyport::controlplane {
namespace {

constexpr char kCreateLedger[] =
    "create table if not exists schema_migrations ("
    "  number integer not null,"
    "  name text not null,"
    "  sha256 text not null,"
    "  applied_at integer not null,"
    "  constraint schema_migrations_pk primary key (number)"
    ") strict";

std::string Named(int64_t number, std::string_view name) {
  return "migration " + std::to_string(number) + " (" + std::string(name) + ")";
}

// How many have been applied, all of them as the program knows them.
absl::StatusOr<size_t> CountApplied(Connection& connection,
                                    std::span<const migrations::Migration> migrations) {
  Statement applied =
      connection.Prepare("select number, name, sha256 from schema_migrations order by number");
  size_t count = 0;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, applied.Step());
    if (!row) return count;
    const std::string name = Named(applied.integer(0), applied.text(1));
    if (count == migrations.size()) {
      return absl::FailedPreconditionError(
          "the database has " + name +
          ", which this program does not know: it is older than its data");
    }
    const migrations::Migration& known = migrations[count++];
    if (applied.integer(0) != known.number || applied.text(1) != known.name ||
        applied.text(2) != known.sha256) {
      return absl::FailedPreconditionError(
          name + " was applied with another text than this program has for it");
    }
  }
}

absl::Status Apply(Connection& connection, const migrations::Migration& migration) {
  RETURN_IF_ERROR(connection.Execute(std::string(migration.sql).c_str()));
  return connection
      .Prepare(
          "insert into schema_migrations (number, name, sha256, applied_at) values (?, ?, ?, ?)")
      .Int(migration.number)
      .Text(migration.name)
      .Text(migration.sha256)
      .Time(absl::Now())
      .Run();
}

}  // namespace

absl::Status Migrate(Connection& connection, std::span<const migrations::Migration> migrations) {
  RETURN_IF_ERROR(connection.Execute(kCreateLedger));
  ASSIGN_OR_RETURN(const size_t applied, CountApplied(connection, migrations));
  for (const migrations::Migration& migration : migrations.subspan(applied)) {
    RETURN_IF_ERROR(connection.Execute("begin immediate"));
    absl::Status done = Apply(connection, migration);
    if (done.ok()) done = connection.Execute("commit");
    if (done.ok()) continue;
    if (connection.is_in_transaction()) connection.Execute("rollback").IgnoreError();
    // Who migrates starts the program: he is told all of it.
    const std::string detail = OperatorDetailOf(done);
    return absl::Status(done.code(), Named(migration.number, migration.name) + ": " +
                                         (detail.empty() ? std::string(done.message()) : detail));
  }
  return absl::OkStatus();
}

}  // namespace sallyport::controlplane
