#include "tests/integration/controlplane/races/approval_history.h"

#include <catch2/catch.hpp>

#include "common/json_printer.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/audit_log.h"

namespace sallyport::controlplane {
namespace {

// The lines about one thing that were done, by action: their places in the log.
struct Lines {
  std::map<std::string, std::vector<uint64_t>> done;

  size_t Count(const std::string& action) const {
    const auto found = done.find(action);
    return found == done.end() ? 0 : found->second.size();
  }
  size_t Closings() const {
    size_t closings = 0;
    for (const char* action : {"approval.deny", "approval.expire", "approval.withdraw",
                               "approval.revoke", "approval.consume"}) {
      closings += Count(action);
    }
    return closings;
  }
};

std::map<std::string, Lines> LinesByObject(Transaction& t) {
  std::map<std::string, Lines> lines;
  for (uint64_t after = 0;;) {
    const auto page = audit_log::List(t, after, 10'000);
    if (!page.ok() || page->empty()) return lines;
    for (const audit_log::Line& line : *page) {
      after = line.n;
      if (line.denial_reason == types::v1::DENIAL_REASON_UNSPECIFIED)
        lines[line.object].done[line.action].push_back(line.n);
    }
  }
}

// The action that leads to a state; empty: none does.
std::string ActionTo(types::v1::ApprovalState state) {
  switch (state) {
    case types::v1::APPROVAL_STATE_DENIED:
      return "approval.deny";
    case types::v1::APPROVAL_STATE_EXPIRED:
      return "approval.expire";
    case types::v1::APPROVAL_STATE_WITHDRAWN:
      return "approval.withdraw";
    case types::v1::APPROVAL_STATE_REVOKED:
      return "approval.revoke";
    case types::v1::APPROVAL_STATE_CONSUMED:
      return "approval.consume";
    default:
      return {};
  }
}

int64_t CallsOf(Transaction& t, const std::string& session_id, const std::string& target) {
  Statement count =
      t.Prepare("select count(*) from calls where session_id = ? and target = ? and state <> 2");
  count.Text(session_id).Text(target);
  return *count.Step() ? count.integer(0) : -1;
}

void Judge(Transaction& t, const types::v1::Approval& approval, Lines lines, const Lines& session,
           std::vector<std::string>& broken) {
  // The end of its session withdraws it, whether or not that has a line of its own.
  if (approval.state() == types::v1::APPROVAL_STATE_WITHDRAWN &&
      lines.Count("approval.withdraw") == 0 && session.Count("session.revoke") > 0) {
    lines.done["approval.withdraw"] = session.done.at("session.revoke");
  }
  const auto breaks = [&](const std::string& rule) {
    broken.push_back(approval.id() + ": " + rule);
  };
  const size_t approvals = lines.Count("approval.approve");
  const size_t consumed = lines.Count("approval.consume");
  if (lines.Closings() > 1) breaks("it was closed more than once");
  if (consumed > 1) breaks("it passed more than one call");
  if (CallsOf(t, approval.session_id(), approval.tool()) != static_cast<int64_t>(consumed))
    breaks("calls were let through otherwise than it was used");
  if (consumed > 0 && approvals == 0) breaks("it was used without having been granted");
  if (approvals > 0 && lines.Count("approval.deny") > 0) breaks("it was granted and denied");
  if (static_cast<int>(approvals + lines.Count("approval.deny")) != approval.decisions_size())
    breaks("its decisions are others than were made");
  const std::string closing = ActionTo(approval.state());
  if (lines.Count(closing) != (closing.empty() ? 0U : 1U) ||
      lines.Closings() != (closing.empty() ? 0U : 1U)) {
    breaks("it stands otherwise than it was closed");
  }
  if (approval.state() == types::v1::APPROVAL_STATE_APPROVED && approvals == 0)
    breaks("nobody granted it");
}

template <class Take>
void ForEach(Transaction& t, Take take) {
  REQUIRE(approvals::Walk(t, true, absl::InfiniteFuture(), "", [&](const Approval& approval) {
            take(approval.proto());
            return true;
          }).ok());
}

}  // namespace

std::vector<std::string> BrokenRules(Transaction& t) {
  std::map<std::string, Lines> lines = LinesByObject(t);
  std::vector<std::string> broken;
  ForEach(t, [&](const types::v1::Approval& approval) {
    Judge(t, approval, lines[approval.id()], lines[approval.session_id()], broken);
  });
  return broken;
}

Outcomes OutcomesOf(Transaction& t) {
  Outcomes outcomes;
  ForEach(t, [&](const types::v1::Approval& approval) {
    ++outcomes.approvals[EnumWord(approval.state())];
  });
  Statement count = t.Prepare("select count(*) from calls where state <> 2");
  outcomes.calls = *count.Step() ? static_cast<int>(count.integer(0)) : -1;
  return outcomes;
}

}  // namespace sallyport::controlplane
