#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/message_lite.h"

struct sqlite3_stmt;

namespace sallyport::controlplane {

class Connection;

// One run of a prepared statement, in the hands of its transaction. Parameters are bound in order,
// `?` by `?`. What goes wrong while preparing or binding is kept and returned by the first Step or
// Run, so that a statement reads in one line.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  Statement& Text(std::string_view value);
  Statement& Blob(std::string_view value);
  Statement& Int(int64_t value);
  Statement& Bool(bool value) { return Int(value ? 1 : 0); }
  // Microseconds since 1970. InfinitePast is null.
  Statement& Time(absl::Time value);
  Statement& Null();
  // A serialized message.
  Statement& Proto(const google::protobuf::MessageLite& value);

  // True: there is a row to read. False: there are no more.
  absl::StatusOr<bool> Step();
  // For a statement that gives no rows.
  absl::Status Run();
  // Like Run; how many rows were inserted, changed or deleted.
  absl::StatusOr<int64_t> RunCounted();

  // Columns of the current row, from 0. Views live until the next Step.
  std::string_view text(int column) const;
  std::string_view blob(int column) const;
  int64_t integer(int column) const;
  bool boolean(int column) const { return integer(column) != 0; }
  // Null is InfinitePast.
  absl::Time time(int column) const;
  bool is_null(int column) const;
  // kDataLoss where the column does not hold such a message.
  absl::Status Read(int column, google::protobuf::MessageLite* value) const;

 private:
  friend class Connection;
  Statement(Connection& connection, sqlite3_stmt* handle, absl::Status prepared);
  Statement& Bound(int code);

  Connection* connection_;
  sqlite3_stmt* handle_;  // null: preparing failed, and status_ says how
  absl::Status status_;
  int next_ = 1;
};

}  // namespace sallyport::controlplane
