#include "controlplane/store/audit_log.h"

#include <utility>

#include "common/status_macros.h"

namespace sallyport::controlplane::audit_log {

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
