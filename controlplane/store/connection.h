#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controlplane/store/statement.h"

struct sqlite3;
struct sqlite3_stmt;

namespace sallyport::controlplane {

// One connection to a file, for one thread at a time, with the statements it has prepared.
class Connection {
 public:
  // The writer makes the file's WAL and does its checkpoints; a reader can do neither and must come
  // after it.
  static absl::StatusOr<std::unique_ptr<Connection>> OpenWriter(const std::string& path);
  static absl::StatusOr<std::unique_ptr<Connection>> OpenReader(const std::string& path);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Statement Prepare(std::string_view sql);
  // Statements without parameters and rows.
  absl::Status Execute(const char* sql);

  // SQLite's last error as a status: callers are told what failed, the log also the file and the
  // operation (operator_detail.h).
  absl::Status ErrorOf(int code, std::string_view operation) const;
  int64_t changed_rows() const;
  // Since the connection was opened.
  int64_t all_changed_rows() const;

  // From begin to commit. SQLite rolls a transaction back by itself when the disk is full, and what
  // came after would commit on its own: between the two, statements are refused once that has
  // happened.
  void ExpectTransaction(bool expected) { transaction_expected_ = expected; }
  bool is_in_transaction() const;
  absl::Status CheckTransaction() const;

 private:
  friend class Statement;
  Connection(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const std::string& path, int flags,
                                                          const char* pragmas);
  void GiveBack(sqlite3_stmt* statement);

  const std::string path_;
  sqlite3* const handle_;
  bool transaction_expected_ = false;
  std::map<std::string, std::vector<sqlite3_stmt*>, std::less<>> idle_;
};

}  // namespace sallyport::controlplane
