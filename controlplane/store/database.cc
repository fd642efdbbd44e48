#include "controlplane/store/database.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/denial.h"
#include "common/log.h"
#include "common/operator_detail.h"
#include "common/status_macros.h"
#include "controlplane/store/connection.h"
#include "controlplane/store/migrator.h"

namespace sallyport::controlplane {
namespace {

constexpr size_t kIdleReaders = 8;

absl::Status SystemError(const std::string& path, const char* operation) {
  const int error = errno;
  const std::string message = path + ": " + operation + ": " + std::strerror(error);
  return error == ENOSPC || error == EDQUOT ? absl::ResourceExhaustedError(message)
                                            : absl::FailedPreconditionError(message);
}

// For who starts the program: he is the operator.
absl::Status Named(const std::string& path, const absl::Status& failed) {
  const std::string detail = OperatorDetailOf(failed);
  return absl::Status(failed.code(),
                      detail.empty() ? path + ": " + std::string(failed.message()) : detail);
}

// A refusal over a limit carries its reason; a full disk has none.
bool IsFullDisk(const absl::Status& status) {
  return absl::IsResourceExhausted(status) &&
         ReasonOf(status) == types::v1::DENIAL_REASON_UNSPECIFIED;
}

// SQLite gives its WAL and shared memory the mode of the file, so the file must have the right one
// before SQLite sees it.
absl::Status CreatePrivate(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return SystemError(path, "open");
  absl::Status done = ::fchmod(fd, 0600) == 0 ? absl::OkStatus() : SystemError(path, "chmod");
  ::close(fd);
  return done;
}

}  // namespace

// Held as long as the database is open: the rule of one writing connection is a rule for all
// processes together.
class FileLock {
 public:
  static absl::StatusOr<std::unique_ptr<FileLock>> Take(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return SystemError(path, "open");
    std::unique_ptr<FileLock> lock(new FileLock(fd));
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
    if (errno != EWOULDBLOCK) return SystemError(path, "lock");
    return absl::UnavailableError(path + ": another process has this database open");
  }
  ~FileLock() { ::close(fd_); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  const int fd_;
};

Statement Transaction::Prepare(std::string_view sql) { return connection_.Prepare(sql); }

ReadTransaction::ReadTransaction(Database& database, std::unique_ptr<Connection> connection)
    : Transaction(*connection), database_(database), owned_(std::move(connection)) {}

ReadTransaction::~ReadTransaction() {
  // A reader that cannot end its transaction would hold back checkpoints for ever.
  if (owned_->Execute("rollback").ok()) database_.GiveBack(std::move(owned_));
}

WriteTransaction::WriteTransaction(Database& database, Connection& connection, WriteFor use)
    : Transaction(connection),
      database_(database),
      use_(use),
      changed_before_(connection.all_changed_rows()) {}

WriteTransaction::~WriteTransaction() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (!is_open_) return;
  connection_.ExpectTransaction(false);
  if (connection_.is_in_transaction()) connection_.Execute("rollback").IgnoreError();
  database_.writer_mutex_.Unlock();
}

void WriteTransaction::Changed(ChangeKind kind, std::string id) {
  changes_.push_back({kind, std::move(id)});
}

void WriteTransaction::AfterCommit(std::function<void()> tell) {
  after_commit_.push_back(std::move(tell));
}

// A transaction that only looked costs no room.
absl::Status WriteTransaction::CheckMayGrow() const {
  const bool grows = connection_.all_changed_rows() != changed_before_;
  return use_ == WriteFor::kCallers && grows ? database_.CheckFloor() : absl::OkStatus();
}

absl::Status WriteTransaction::Commit() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (!is_open_) return absl::FailedPreconditionError("commit: the transaction is over");
  RETURN_IF_ERROR(connection_.CheckTransaction());
  RETURN_IF_ERROR(CheckMayGrow());
  const absl::Status committed = connection_.Execute("commit");
  const bool has_written = connection_.all_changed_rows() != changed_before_;
  if (!committed.ok() || has_written) database_.NoteWrite(committed);
  RETURN_IF_ERROR(committed);
  is_open_ = false;
  connection_.ExpectTransaction(false);
  // On a disk that is nearly full the WAL begins anew after each commit, in place of growing.
  if (!database_.CheckFloor().ok())
    connection_.Execute("pragma wal_checkpoint(passive)").IgnoreError();
  const bool has_news = !changes_.empty();
  if (has_news) database_.changes_.Append(std::move(changes_));
  ChangeFeed& feed = database_.changes_;
  database_.writer_mutex_.Unlock();
  if (has_news) feed.Wake();
  for (const auto& tell : after_commit_) tell();
  return absl::OkStatus();
}

bool WriteTransaction::is_rolled_back() const {
  return is_open_ && !connection_.is_in_transaction();
}

WriteTransaction::Savepoint::Savepoint(WriteTransaction& transaction)
    : transaction_(transaction),
      begun_(transaction.Prepare("savepoint part").Run()),
      is_open_(begun_.ok()) {}

WriteTransaction::Savepoint::~Savepoint() {
  if (!is_open_ || !transaction_.connection_.is_in_transaction()) return;
  transaction_.Prepare("rollback to part").Run().IgnoreError();
  transaction_.Prepare("release part").Run().IgnoreError();
}

absl::Status WriteTransaction::Savepoint::Release() {
  RETURN_IF_ERROR(begun_);
  RETURN_IF_ERROR(transaction_.Prepare("release part").Run());
  is_open_ = false;
  return absl::OkStatus();
}

Database::Database(std::string path, DiskReserve* reserve, size_t remembered_changes)
    : path_(std::move(path)), reserve_(reserve), changes_(remembered_changes) {}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(
    const std::string& path, std::span<const migrations::Migration> migrations,
    DiskReserve* reserve, size_t remembered_changes) {
  std::unique_ptr<Database> database(new Database(path, reserve, remembered_changes));
  ASSIGN_OR_RETURN(database->lock_, FileLock::Take(path + ".lock"));
  RETURN_IF_ERROR(CreatePrivate(path));
  auto writer = Connection::OpenWriter(path);
  if (!writer.ok()) return Named(path, writer.status());
  database->writer_ = *std::move(writer);
  if (absl::Status migrated = Migrate(*database->writer_, migrations); !migrated.ok()) {
    return Named(path, migrated);
  }
  return database;
}

Database::~Database() {
  changes_.Close();
  // The writer goes last, so that it is the one that folds the WAL into the file.
  idle_readers_.clear();
  writer_.reset();
}

absl::StatusOr<std::unique_ptr<WriteTransaction>> Database::Write(WriteFor use)
    ABSL_NO_THREAD_SAFETY_ANALYSIS {
  writer_mutex_.Lock();
  if (absl::Status begun = writer_->Execute("begin immediate"); !begun.ok()) {
    writer_mutex_.Unlock();
    NoteWrite(begun);
    return begun;
  }
  writer_->ExpectTransaction(true);
  return std::unique_ptr<WriteTransaction>(new WriteTransaction(*this, *writer_, use));
}

absl::Status Database::Write(WriteFor use,
                             absl::FunctionRef<absl::Status(WriteTransaction&)> work) {
  for (;;) {
    const absl::Status done = [&]() -> absl::Status {
      ASSIGN_OR_RETURN(const auto t, Write(use));
      return work(*t);
    }();
    if (use != WriteFor::kRevocation || !IsFullDisk(done) || reserve_ == nullptr ||
        !reserve_->GiveUpBallast()) {
      return done;
    }
  }
}

absl::Status Database::CheckFloor() const {
  return reserve_ == nullptr ? absl::OkStatus() : reserve_->CheckFloor();
}

absl::Status Database::CheckWrites() const {
  const absl::MutexLock lock(&failure_mutex_);
  return write_failure_;
}

void Database::RetryWrites() {
  if (CheckWrites().ok()) return;
  Write(WriteFor::kOperators, [](WriteTransaction& t) -> absl::Status {
    RETURN_IF_ERROR(t.Prepare("update schema_migrations set number = number").Run());
    return t.Commit();
  }).IgnoreError();
}

void Database::NoteWrite(const absl::Status& done) {
  if (IsFullDisk(done)) return;
  const absl::MutexLock lock(&failure_mutex_);
  if (done.ok() == write_failure_.ok()) return;
  if (done.ok()) {
    LogInfo("writing_again", {{"database", path_}});
  } else {
    LogError("cannot_write",
             {{"database", path_}, {"error", done}, {"detail", OperatorDetailOf(done)}});
  }
  write_failure_ = done.ok() ? done
                             : absl::Status(done.code(), "nothing can be written to " + path_ +
                                                             ": " + OperatorDetailOf(done));
}

absl::Status Database::GiveBackSpace() {
  if (CheckFloor().ok()) return absl::OkStatus();
  const absl::MutexLock lock(&writer_mutex_);
  return writer_->Execute("pragma wal_checkpoint(truncate)");
}

absl::StatusOr<std::unique_ptr<ReadTransaction>> Database::Read() {
  std::unique_ptr<Connection> reader;
  {
    absl::MutexLock lock(&readers_mutex_);
    if (!idle_readers_.empty()) {
      reader = std::move(idle_readers_.back());
      idle_readers_.pop_back();
    }
  }
  if (reader == nullptr) {
    ASSIGN_OR_RETURN(reader, Connection::OpenReader(path_));
  }
  RETURN_IF_ERROR(reader->Execute("begin"));
  return std::unique_ptr<ReadTransaction>(new ReadTransaction(*this, std::move(reader)));
}

void Database::GiveBack(std::unique_ptr<Connection> reader) {
  absl::MutexLock lock(&readers_mutex_);
  if (idle_readers_.size() < kIdleReaders) idle_readers_.push_back(std::move(reader));
}

}  // namespace sallyport::controlplane
