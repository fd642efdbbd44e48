#include "controlplane/store/connection.h"

#include <sqlite3.h>

#include <cerrno>
#include <cstring>

#include "common/operator_detail.h"
#include "common/status_macros.h"

namespace sallyport::controlplane {
namespace {

constexpr int kBusyTimeoutMs = 5000;

constexpr char kWriterPragmas[] =
    "pragma journal_mode = wal;"
    "pragma synchronous = full;"
    "pragma wal_autocheckpoint = 1000;"
    "pragma journal_size_limit = 67108864;"
    "pragma foreign_keys = on;"
    // Without it `insert or replace` deletes rows past the triggers that forbid it.
    "pragma recursive_triggers = on;"
    "pragma trusted_schema = off;"
    "pragma cell_size_check = on;"
    "pragma temp_store = memory;";

constexpr char kReaderPragmas[] =
    "pragma query_only = on;"
    "pragma wal_autocheckpoint = 0;"
    "pragma trusted_schema = off;"
    "pragma cell_size_check = on;"
    "pragma temp_store = memory;";

bool IsOutOfSpace(int code, int system_error) {
  if ((code & 0xff) == SQLITE_FULL) return true;
  return (code & 0xff) == SQLITE_IOERR &&
         (system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG);
}

absl::StatusCode StatusCodeOf(int code, int system_error) {
  if (IsOutOfSpace(code, system_error)) return absl::StatusCode::kResourceExhausted;
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::StatusCode::kUnavailable;
    case SQLITE_CONSTRAINT:
      return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY
                 ? absl::StatusCode::kAlreadyExists
                 : absl::StatusCode::kFailedPrecondition;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::StatusCode::kDataLoss;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return absl::StatusCode::kFailedPrecondition;
    default:
      return absl::StatusCode::kInternal;
  }
}

// What callers are told: neither where the data lies nor what was asked of it.
const char* ToldOf(int code, int system_error) {
  if (IsOutOfSpace(code, system_error))
    return "the control plane cannot write its database: the disk is full";
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "the control plane's database is busy";
    case SQLITE_CONSTRAINT:
      return "the control plane's database does not take this";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "the control plane's database is damaged";
    default:
      return "the control plane's database failed";
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const std::string& path, int flags,
                                                             const char* pragmas) {
  sqlite3* handle = nullptr;
  errno = 0;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<Connection> connection(new Connection(path, handle));
  if (code != SQLITE_OK) return connection->ErrorOf(code, "open");
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  RETURN_IF_ERROR(connection->Execute(pragmas));
  return connection;
}

absl::StatusOr<std::unique_ptr<Connection>> Connection::OpenWriter(const std::string& path) {
  return Open(path, SQLITE_OPEN_READWRITE, kWriterPragmas);
}

absl::StatusOr<std::unique_ptr<Connection>> Connection::OpenReader(const std::string& path) {
  return Open(path, SQLITE_OPEN_READONLY, kReaderPragmas);
}

Connection::~Connection() {
  for (auto& [sql, statements] : idle_) {
    for (sqlite3_stmt* statement : statements) sqlite3_finalize(statement);
  }
  sqlite3_close(handle_);
}

Statement Connection::Prepare(std::string_view sql) {
  if (auto found = idle_.find(sql); found != idle_.end() && !found->second.empty()) {
    sqlite3_stmt* statement = found->second.back();
    found->second.pop_back();
    return Statement(*this, statement, absl::OkStatus());
  }
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return Statement(*this, nullptr, ErrorOf(code, sql));
  return Statement(*this, statement, absl::OkStatus());
}

absl::Status Connection::Execute(const char* sql) {
  errno = 0;
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : ErrorOf(code, sql);
}

absl::Status Connection::ErrorOf(int code, std::string_view operation) const {
  // SQLite does not keep the system's error of a failed commit, so errno (cleared before each run)
  // goes first.
  const int system_error = errno != 0 || handle_ == nullptr ? errno : sqlite3_system_errno(handle_);
  std::string detail = path_;
  // A statement is known by its first words; its parameters never stand in its text.
  detail.append(": ").append(operation.substr(0, 60)).append(": ");
  detail += handle_ != nullptr ? sqlite3_errmsg(handle_) : sqlite3_errstr(code);
  if (IsOutOfSpace(code, system_error) && (code & 0xff) != SQLITE_FULL) {
    detail.append(" (").append(std::strerror(system_error)).append(")");
  }
  return WithOperatorDetail(
      absl::Status(StatusCodeOf(code, system_error), ToldOf(code, system_error)), detail);
}

int64_t Connection::changed_rows() const { return sqlite3_changes64(handle_); }

int64_t Connection::all_changed_rows() const { return sqlite3_total_changes64(handle_); }

bool Connection::is_in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }

absl::Status Connection::CheckTransaction() const {
  if (!transaction_expected_ || is_in_transaction()) return absl::OkStatus();
  return WithOperatorDetail(
      absl::AbortedError("the control plane's database gave the transaction up"),
      path_ + ": the transaction was rolled back by an earlier error");
}

void Connection::GiveBack(sqlite3_stmt* statement) {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  idle_[sqlite3_sql(statement)].push_back(statement);
}

}  // namespace sallyport::controlplane
