#include "controlplane/store/agents.h"

#include "common/denial.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::controlplane::agents {
namespace {

// Names are one a line in their column: no server's name has a line break (CreateJoinToken sees to
// it).
std::string Joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text.append(name).append("\n");
  return text;
}

std::vector<std::string> Split(std::string_view text) {
  std::vector<std::string> names;
  for (size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
    names.emplace_back(text.substr(0, end));
  }
  return names;
}

Agent AgentOf(const Statement& row) {
  return {.name = std::string(row.text(0)),
          .servers = Split(row.text(1)),
          .enrolled_at = row.time(2),
          .certificate_expires_at = row.time(3),
          .last_seen_at = row.time(4),
          .banned_at = row.time(5),
          .ban_reason = std::string(row.text(6))};
}

// What AgentOf reads, in its order.
#define AGENT_COLUMNS \
  "name, servers, enrolled_at, certificate_expires_at, last_seen_at, banned_at, ban_reason"

}  // namespace

absl::StatusOr<std::optional<Agent>> Find(Transaction& t, std::string_view name) {
  Statement find = t.Prepare("select " AGENT_COLUMNS " from agents where name = ?");
  find.Text(name);
  ASSIGN_OR_RETURN(const bool row, find.Step());
  if (!row) return std::nullopt;
  return AgentOf(find);
}

absl::StatusOr<Agent> FindInService(Transaction& t, std::string_view name) {
  ASSIGN_OR_RETURN(std::optional<Agent> agent, Find(t, name));
  if (!agent.has_value()) {
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING,
                  "agent " + std::string(name) + " has not enrolled here");
  }
  if (agent->is_banned()) {
    return Denied(types::v1::DENIAL_REASON_LOCKED, "agent " + std::string(name) + " is banned");
  }
  return *std::move(agent);
}

absl::StatusOr<std::vector<Agent>> List(Transaction& t, std::string_view after_name, int limit) {
  Statement list =
      t.Prepare("select " AGENT_COLUMNS " from agents where name > ? order by name limit ?");
  list.Text(after_name).Int(limit);
  std::vector<Agent> found;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) return found;
    found.push_back(AgentOf(list));
  }
}

absl::StatusOr<std::vector<std::string>> Fronting(Transaction& t, std::string_view server) {
  Statement fronting = t.Prepare(
      "select name from agents where instr(char(10) || servers, char(10) || ? || char(10)) > 0 "
      "and banned_at is null order by name");
  fronting.Text(server);
  std::vector<std::string> names;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, fronting.Step());
    if (!row) return names;
    names.emplace_back(fronting.text(0));
  }
}

absl::Status Put(WriteTransaction& t, const Agent& agent) {
  RETURN_IF_ERROR(t.Prepare("insert into agents (" AGENT_COLUMNS ") values (?, ?, ?, ?, ?, ?, ?)"
                            " on conflict (name) do update set servers = excluded.servers, "
                            "enrolled_at = excluded.enrolled_at,"
                            " certificate_expires_at = excluded.certificate_expires_at, "
                            "last_seen_at = excluded.last_seen_at, banned_at = excluded.banned_at, "
                            "ban_reason = excluded.ban_reason")
                      .Text(agent.name)
                      .Text(Joined(agent.servers))
                      .Time(agent.enrolled_at)
                      .Time(agent.certificate_expires_at)
                      .Time(agent.last_seen_at)
                      .Time(agent.banned_at)
                      .Text(agent.ban_reason)
                      .Run());
  t.Changed(ChangeKind::kAgent, agent.name);
  return absl::OkStatus();
}

absl::Status NoteSeen(WriteTransaction& t, std::string_view name, absl::Time now) {
  return t.Prepare("update agents set last_seen_at = ? where name = ?").Time(now).Text(name).Run();
}

absl::Status AddJoinToken(WriteTransaction& t, std::string_view secret, const JoinToken& token) {
  return t
      .Prepare(
          "insert into join_tokens (secret_sha256, name, servers, created_at, expires_at) values "
          "(?, ?, ?, ?, ?)")
      .Blob(Sha256(secret))
      .Text(token.name)
      .Text(Joined(token.servers))
      .Time(token.created_at)
      .Time(token.expires_at)
      .Run();
}

absl::Status DropJoinTokens(WriteTransaction& t, std::string_view name) {
  return t.Prepare("delete from join_tokens where name = ? and used_at is null").Text(name).Run();
}

absl::StatusOr<std::optional<JoinToken>> ConsumeJoinToken(WriteTransaction& t,
                                                          std::string_view secret, absl::Time now) {
  Statement consume = t.Prepare(
      "update join_tokens set used_at = ?1 where secret_sha256 = ?2 and used_at is null and "
      "expires_at > ?1"
      " returning name, servers, created_at, expires_at");
  consume.Time(now).Blob(Sha256(secret));
  ASSIGN_OR_RETURN(const bool row, consume.Step());
  if (!row) return std::nullopt;
  JoinToken token{.name = std::string(consume.text(0)),
                  .servers = Split(consume.text(1)),
                  .created_at = consume.time(2),
                  .expires_at = consume.time(3)};
  RETURN_IF_ERROR(consume.Step().status());
  return token;
}

}  // namespace sallyport::controlplane::agents
