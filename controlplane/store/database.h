#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "controlplane/store/change_feed.h"
#include "controlplane/store/disk_reserve.h"
#include "controlplane/store/refusal_counts.h"
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

// Whom a write is for decides what becomes of it when the disk fills up (DiskReserve).
enum class WriteFor {
  kCallers,     // what they cause, agents among them: it stops at the floor
  kOperators,   // the work of administrators, and of time: it goes on until the disk is full
  kRevocation,  // what takes access away, whoever asks: the ballast is given up for it
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
  // kResourceExhausted where the disk is full, or below its floor and something was to be written
  // for callers.
  absl::Status Commit();

  // SQLite has given up on the transaction by itself (the disk is full): all of it is undone, and
  // Commit will say so.
  bool is_rolled_back() const;

  Database& database() { return database_; }

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
  WriteTransaction(Database& database, Connection& connection, WriteFor use);
  absl::Status CheckMayGrow() const;
  Database& database_;
  const WriteFor use_;
  const int64_t changed_before_;
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
  // changed since; kUnavailable where another process holds it. `reserve`, of the disk it lies on,
  // outlives it; none: writes go on until the disk is full. Its feed remembers the last
  // `remembered_changes`.
  static absl::StatusOr<std::unique_ptr<Database>> Open(
      const std::string& path, std::span<const migrations::Migration> migrations,
      DiskReserve* reserve = nullptr, size_t remembered_changes = ChangeFeed::kRemembered);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Waits for the writer before it.
  absl::StatusOr<std::unique_ptr<WriteTransaction>> Write(WriteFor use = WriteFor::kCallers);
  // Runs `work`, which commits, in a transaction. For a revocation on a full disk it runs again, in
  // a new one, as often as there is ballast to give up: it keeps nothing from one run to the next.
  absl::Status Write(WriteFor use, absl::FunctionRef<absl::Status(WriteTransaction&)> work);
  absl::StatusOr<std::unique_ptr<ReadTransaction>> Read();

  // What callers cause may be written (DiskReserve::CheckFloor).
  absl::Status CheckFloor() const;
  // Why nothing can be written: the last transaction could not be begun or committed, for another
  // reason than a disk that fills up, and none has been since.
  absl::Status CheckWrites() const;
  // Where that is so, tries to write again, what is there already.
  void RetryWrites();
  // Gives the WAL's room back to the disk, where it is below its floor.
  absl::Status GiveBackSpace();

  ChangeFeed& changes() { return changes_; }
  // Of requests that this database's audit log tells of.
  RefusalCounts& refusals() { return refusals_; }
  const std::string& path() const { return path_; }

 private:
  friend class ReadTransaction;
  friend class WriteTransaction;
  Database(std::string path, DiskReserve* reserve, size_t remembered_changes);
  void GiveBack(std::unique_ptr<Connection> reader);
  void NoteWrite(const absl::Status& done);

  const std::string path_;
  DiskReserve* const reserve_;
  std::unique_ptr<FileLock> lock_;
  ChangeFeed changes_;
  RefusalCounts refusals_;
  absl::Mutex writer_mutex_;
  std::unique_ptr<Connection> writer_;  // used by who holds writer_mutex_
  mutable absl::Mutex failure_mutex_;
  absl::Status write_failure_ ABSL_GUARDED_BY(failure_mutex_);
  absl::Mutex readers_mutex_;
  std::vector<std::unique_ptr<Connection>> idle_readers_ ABSL_GUARDED_BY(readers_mutex_);
};

}  // namespace sallyport::controlplane
