#include "controlplane/store/statement.h"

#include <sqlite3.h>

#include <cerrno>
#include <utility>

#include "common/operator_detail.h"
#include "common/status_macros.h"
#include "controlplane/store/connection.h"

namespace sallyport::controlplane {

Statement::Statement(Connection& connection, sqlite3_stmt* handle, absl::Status prepared)
    : connection_(&connection), handle_(handle), status_(std::move(prepared)) {}

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_),
      handle_(std::exchange(other.handle_, nullptr)),
      status_(std::move(other.status_)),
      next_(other.next_) {}

Statement::~Statement() {
  if (handle_ != nullptr) connection_->GiveBack(handle_);
}

Statement& Statement::Bound(int code) {
  ++next_;
  if (code != SQLITE_OK && status_.ok()) status_ = connection_->ErrorOf(code, "bind");
  return *this;
}

Statement& Statement::Text(std::string_view value) {
  if (handle_ == nullptr) return *this;
  return Bound(sqlite3_bind_text64(handle_, next_, value.data() != nullptr ? value.data() : "",
                                   value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

Statement& Statement::Blob(std::string_view value) {
  if (handle_ == nullptr) return *this;
  // A null pointer would bind null.
  return Bound(sqlite3_bind_blob64(handle_, next_, value.data() != nullptr ? value.data() : "",
                                   value.size(), SQLITE_TRANSIENT));
}

Statement& Statement::Int(int64_t value) {
  if (handle_ == nullptr) return *this;
  return Bound(sqlite3_bind_int64(handle_, next_, value));
}

Statement& Statement::Time(absl::Time value) {
  return value == absl::InfinitePast() ? Null() : Int(absl::ToUnixMicros(value));
}

Statement& Statement::Null() {
  if (handle_ == nullptr) return *this;
  return Bound(sqlite3_bind_null(handle_, next_));
}

Statement& Statement::Proto(const google::protobuf::MessageLite& value) {
  return Blob(value.SerializeAsString());
}

absl::StatusOr<bool> Statement::Step() {
  RETURN_IF_ERROR(status_);
  RETURN_IF_ERROR(connection_->CheckTransaction());
  errno = 0;
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  status_ = connection_->ErrorOf(code, sqlite3_sql(handle_));
  return status_;
}

absl::Status Statement::Run() {
  ASSIGN_OR_RETURN(const bool row, Step());
  if (row)
    return WithOperatorDetail(
        absl::InternalError("the control plane's database failed"),
        std::string("a row where none was expected: ") + sqlite3_sql(handle_));
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Statement::RunCounted() {
  RETURN_IF_ERROR(Run());
  return connection_->changed_rows();
}

std::string_view Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
  return data == nullptr ? std::string_view()
                         : std::string_view(data, sqlite3_column_bytes(handle_, column));
}

std::string_view Statement::blob(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(handle_, column));
  return data == nullptr ? std::string_view()
                         : std::string_view(data, sqlite3_column_bytes(handle_, column));
}

int64_t Statement::integer(int column) const { return sqlite3_column_int64(handle_, column); }

absl::Time Statement::time(int column) const {
  return is_null(column) ? absl::InfinitePast() : absl::FromUnixMicros(integer(column));
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

absl::Status Statement::Read(int column, google::protobuf::MessageLite* value) const {
  const std::string_view bytes = blob(column);
  if (value->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return absl::OkStatus();
  return absl::DataLossError("a stored " + value->GetTypeName() + " cannot be read");
}

}  // namespace sallyport::controlplane
