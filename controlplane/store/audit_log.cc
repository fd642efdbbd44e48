#include "controlplane/store/audit_log.h"

#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/denial.h"
#include "common/status_macros.h"

namespace sallyport::controlplane::audit_log {

namespace {

// What a caller wrote of his own may be as long as a message.
constexpr std::size_t kMaxObjectBytes = 256;
constexpr std::size_t kMaxDetailBytes = 1000;

// Whole characters.
std::string Cut(std::string text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) --bytes;
  text.resize(bytes);
  return text + "...";
}

Line LineOf(const RefusalCounts::Summary& summary, absl::Time at) {
  std::string detail = "more refused requests, without a line each:";
  for (const auto& [action, count] : summary.actions)
    absl::StrAppend(&detail, " ", action, " ", count, ",");
  detail.pop_back();
  return {.at = at,
          .actor = summary.actor.empty() ? "others" : summary.actor,
          .address = summary.address,
          .action = "requests.refused",
          .denial_reason = summary.reason,
          .detail = std::move(detail)};
}

}  // namespace

Line LineOf(const Caller& caller, absl::Time now, std::string action, std::string object,
            std::string detail) {
  return {.at = now,
          .actor = ActorName(caller),
          .address = caller.address(),
          .action = std::move(action),
          .object = std::move(object),
          .detail = std::move(detail)};
}

absl::Status Append(WriteTransaction& t, const Line& line) {
  return t
      .Prepare(
          "insert into audit_lines (at, actor, address, action, object, denial_reason, detail) "
          "values (?, ?, ?, ?, ?, ?, ?)")
      .Time(line.at)
      .Text(line.actor)
      .Text(line.address)
      .Text(line.action)
      .Text(line.object)
      .Int(line.denial_reason)
      .Text(line.detail)
      .Run();
}

absl::Status CommitRefusal(WriteTransaction& t, Line line) {
  Database& control = t.database();
  const bool is_admitted = control.refusals().Admit({.actor = line.actor,
                                                     .address = line.address,
                                                     .action = line.action,
                                                     .reason = line.denial_reason,
                                                     .at = line.at},
                                                    control.CheckFloor().ok());
  if (!is_admitted) return absl::OkStatus();
  line.object = Cut(std::move(line.object), kMaxObjectBytes);
  line.detail = Cut(std::move(line.detail), kMaxDetailBytes);
  RETURN_IF_ERROR(Append(t, line));
  return t.Commit();
}

absl::Status Refuse(WriteTransaction& t, Line line, const absl::Status& why) {
  line.denial_reason = ReasonOf(why);
  line.detail = std::string(why.message());
  RETURN_IF_ERROR(CommitRefusal(t, std::move(line)));
  return why;
}

absl::Status SummarizeRefusals(Database& control, absl::Time now) {
  if (!control.CheckFloor().ok()) return absl::OkStatus();
  const std::vector<RefusalCounts::Summary> due = control.refusals().TakeDue(now);
  if (due.empty()) return absl::OkStatus();
  const absl::Time at = now == absl::InfiniteFuture() ? absl::Now() : now;
  const absl::Status written = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const auto t, control.Write());
    for (const RefusalCounts::Summary& summary : due) {
      RETURN_IF_ERROR(Append(*t, LineOf(summary, at)));
    }
    return t->Commit();
  }();
  if (!written.ok()) control.refusals().GiveBack(due, at);
  return written;
}

absl::StatusOr<bool> KnowsActor(Transaction& t, std::string_view realm, std::string_view subject) {
  const std::string name = std::string(realm) + ":" + std::string(subject);
  Statement any = t.Prepare(
      "select 1 from audit_lines where actor >= 'service:'"
      " and actor in ('service:' || ?1, 'user:' || ?1) limit 1");
  any.Text(name);
  return any.Step();
}

absl::StatusOr<bool> Has(Transaction& t, std::string_view action, std::string_view object) {
  Statement any =
      t.Prepare("select 1 from audit_lines where action = ? and object = ? and denial_reason = 0");
  any.Text(action).Text(object);
  return any.Step();
}

absl::StatusOr<std::vector<Line>> List(Transaction& t, uint64_t after, int limit) {
  Statement list = t.Prepare(
      "select n, at, actor, address, action, object, denial_reason, detail from audit_lines where "
      "n > ? order by n limit ?");
  list.Int(static_cast<int64_t>(after)).Int(limit);
  std::vector<Line> lines;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) return lines;
    lines.push_back({.n = static_cast<uint64_t>(list.integer(0)),
                     .at = list.time(1),
                     .actor = std::string(list.text(2)),
                     .address = std::string(list.text(3)),
                     .action = std::string(list.text(4)),
                     .object = std::string(list.text(5)),
                     .denial_reason = static_cast<types::v1::DenialReason>(list.integer(6)),
                     .detail = std::string(list.text(7))});
  }
}

}  // namespace sallyport::controlplane::audit_log
