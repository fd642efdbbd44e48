#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "controlplane/store/change_feed.h"
#include "controlplane/store/statement.h"
#include "migrations/migrations.h"

namespace sallyport::controlplane {

class Connection;
class Database;
class FileLock;

// What a store function needs to read. Lives on one thread and no longer than its database.
class Transaction {
 public:
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // `sql` is a literal: the statement is prepared once for each connection and kept.
  Statement Prepare(std::string_view sql);

 protected:
  explicit Transaction(Connection& connection) : connection_(connection) {}
  ~Transaction() = default;
  Connection& connection_;
};

// One consistent view of the tables, as of its first statement.
class ReadTransaction : public Transaction {
 public:
  ~ReadTransaction();

 private:
  friend class Database;
  ReadTransaction(Database& database, std::unique_ptr<Connection> connection);
  Database& database_;
  std::unique_ptr<Connection> owned_;
};

// The one write transaction of a database: while it lives, every other writer waits. It is rolled
// back unless Commit returned OK. Keep it short: no network, no waiting.
class WriteTransaction : public Transaction {
 public:
  ~WriteTransaction();

  // Watchers hear of it once the transaction has been committed, and not at all otherwise.
  void Changed(ChangeKind kind, std::string id);

  // What is to be said of what was done here: `tell` runs once the transaction has been committed,
  // in the thread that commits, when other writers may go on; and never where it has not been.
  void AfterCommit(std::function<void()> tell);

  // Durable when it returns OK (synchronous=FULL). Otherwise nothing has happened:
  // kResourceExhausted where the disk is full.
  absl::Status Commit();

  // SQLite has given up on the transaction by itself (the disk is full): all of it is undone, and
  // Commit will say so.
  bool is_rolled_back() const;

  // A part that can be taken back alone. `Release` keeps it; a savepoint that dies without it is
  // undone.
  class Savepoint {
   public:
    explicit Savepoint(WriteTransaction& transaction);
    ~Savepoint();
    Savepoint(const Savepoint&) = delete;
    Savepoint& operator=(const Savepoint&) = delete;
    absl::Status Release();

   private:
    WriteTransaction& transaction_;
    absl::Status begun_;
    bool is_open_ = false;
  };

 private:
  friend class Database;
  WriteTransaction(Database& database, Connection& connection);
  Database& database_;
  std::vector<Change> changes_;
  std::vector<std::function<void()>> after_commit_;
  bool is_open_ = true;
};

// One SQLite file. A single connection does all writes and all checkpoints (SQLite 3.40 can corrupt
// a WAL that one connection resets while another writes); reads go through connections of their own
// that are opened read-only. Thread-safe.
class Database {
 public:
  // Creates the file with mode 0600 where there is none, and brings its schema up to date.
  // kFailedPrecondition where it was migrated by a newer program or an applied migration has been
  // changed since; kUnavailable where another process holds it.
  static absl::StatusOr<std::unique_ptr<Database>> Open(
      const std::string& path, std::span<const migrations::Migration> migrations);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Waits for the writer before it.
  absl::StatusOr<std::unique_ptr<WriteTransaction>> Write();
  absl::StatusOr<std::unique_ptr<ReadTransaction>> Read();

  ChangeFeed& changes() { return changes_; }
  const std::string& path() const { return path_; }

 private:
  friend class ReadTransaction;
  friend class WriteTransaction;
  explicit Database(std::string path);
  void GiveBack(std::unique_ptr<Connection> reader);

  const std::string path_;
  std::unique_ptr<FileLock> lock_;
  ChangeFeed changes_;
  absl::Mutex writer_mutex_;
  std::unique_ptr<Connection> writer_;  // used by who holds writer_mutex_
  absl::Mutex readers_mutex_;
  std::vector<std::unique_ptr<Connection>> idle_readers_ ABSL_GUARDED_BY(readers_mutex_);
};

}  // namespace sallyport::controlplane
