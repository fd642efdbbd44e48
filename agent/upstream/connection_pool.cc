#include "agent/upstream/connection_pool.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/numbers.h"
#include "agent/http/field_syntax.h"
#include "agent/upstream/upstream_error.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

// As many as a session may have calls in flight: one fewer, and a busy session pays for handshakes.
constexpr std::size_t kMaxIdle = 128;

// No longer than this, whatever the server says: idle connections take descriptors.
constexpr absl::Duration kMaxKeptIdle = absl::Seconds(20);
// Before the server's own time is over: a request must not cross its end.
constexpr absl::Duration kIdleMargin = absl::Seconds(1);

// How long an idle connection is kept: as `Keep-Alive: timeout=5` of its last answer says.
absl::Duration KeptIdle(const HttpFields& fields, absl::Duration unless_said) {
  constexpr std::string_view kTimeout = "timeout=";
  std::string_view said = fields.Find("keep-alive").value_or("");
  while (!said.empty()) {
    const std::size_t end = std::min(said.find(','), said.size());
    const std::string_view one = TrimFieldSpace(said.substr(0, end));
    std::uint32_t seconds = 0;
    if (one.size() > kTimeout.size() && EqualsNoCase(one.substr(0, kTimeout.size()), kTimeout) &&
        absl::SimpleAtoi(ToAbsl(one.substr(kTimeout.size())), &seconds)) {
      return std::min(absl::Seconds(seconds) - kIdleMargin, kMaxKeptIdle);
    }
    said.remove_prefix(std::min(end + 1, said.size()));
  }
  return unless_said;
}

// A head on its way out, with the credentials in it.
struct Head {
  ~Head() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
  std::string bytes;
};

}  // namespace

PoolOptions PoolOptionsOf(const HttpOptions& options) {
  return {.url = options.url,
          .tls = options.tls,
          .limits = {.body = options.limits.max_bytes},
          .answers = options.answers,
          .connect_timeout = options.connect_timeout,
          .patience = options.patience,
          .idle_timeout = options.idle_timeout};
}

ConnectionPool::ConnectionPool(Loop& loop, DeadlineSweep& sweep, PoolOptions options)
    : loop_(loop), sweep_(sweep), options_(std::move(options)) {}
ConnectionPool::~ConnectionPool() = default;

Task<absl::StatusOr<ConnectionPtr>> ConnectionPool::Send(absl::StatusOr<std::string> written_head,
                                                         std::string_view body,
                                                         absl::Duration timeout) {
  auto self = shared_from_this();
  CO_RETURN_IF_ERROR(written_head.status());
  const Head head{*std::move(written_head)};
  for (;;) {
    if (is_shut()) co_return why_;
    ConnectionPtr connection = TakeIdle();
    const bool is_pooled = connection != nullptr;
    if (!is_pooled) {
      CO_ASSIGN_OR_RETURN(connection, co_await Connect(options_.connect_timeout));
    }
    connection->SetDeadline(timeout);
    bool has_begun = false;
    const absl::Status written = connection->Write(head.bytes, body, has_begun);
    if (written.ok()) co_return connection;
    if (has_begun) {
      connection->Close();  // the answer's reader finds it so
      co_return connection;
    }
    if (!is_pooled) co_return ConnectionError(written);
  }
}

Task<absl::StatusOr<ConnectionPtr>> ConnectionPool::SendLast(
    absl::StatusOr<std::string> written_head, absl::Duration timeout) {
  auto self = shared_from_this();
  CO_RETURN_IF_ERROR(written_head.status());
  const Head head{*std::move(written_head)};
  CO_ASSIGN_OR_RETURN(ConnectionPtr connection, co_await Connect(timeout));
  bool has_begun = false;
  const absl::Status written = connection->Write(head.bytes, {}, has_begun);
  if (!written.ok()) co_return ConnectionError(written);
  co_return connection;
}

ConnectionPtr ConnectionPool::TakeIdle() {
  while (!idle_.empty()) {
    ConnectionPtr connection = std::move(idle_.back());
    idle_.pop_back();
    if (connection->IsReusable()) return connection;
  }
  return nullptr;
}

Task<absl::StatusOr<ConnectionPtr>> ConnectionPool::Connect(absl::Duration timeout) {
  auto connection = std::make_unique<HttpConnection>(loop_, sweep_, options_.tls, options_.limits,
                                                     options_.patience, options_.answers);
  connection->SetDeadline(timeout);
  const Busy busy(*this, *connection);
  const absl::Status connected = co_await connection->Connect(options_.url);
  if (!connected.ok()) co_return ConnectionError(absl::UnavailableError(connected.message()));
  co_return connection;
}

void ConnectionPool::Keep(ConnectionPtr connection) {
  if (is_shut() || !connection->CanBeKept() || idle_.size() >= kMaxIdle) return;
  const absl::Duration idle = KeptIdle(connection->response().fields, options_.idle_timeout);
  if (idle <= absl::ZeroDuration()) return;
  connection->NextResponse();
  connection->SetDeadline(idle);
  idle_.push_back(std::move(connection));
}

void ConnectionPool::KeepOnceDone(ConnectionPtr connection) {
  if (connection->reader().is_done()) return Keep(std::move(connection));
  loop_.Spawn(ReadEnd(shared_from_this(), std::move(connection)));
}

Task<void> ConnectionPool::ReadEnd(std::shared_ptr<ConnectionPool> self, ConnectionPtr connection) {
  connection->SetDeadline(absl::Seconds(2));
  const Busy busy(*self, *connection);
  auto more = co_await connection->ReadPiece();
  while (more.ok() && *more) more = co_await connection->ReadPiece();
  if (more.ok()) self->Keep(std::move(connection));
}

void ConnectionPool::Shut(absl::Status why) {
  if (is_shut()) return;
  why_ = std::move(why);
  idle_.clear();
  for (HttpConnection* connection : busy_) connection->Close();
}

}  // namespace sallyport::agent
