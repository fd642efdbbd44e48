#include "agent/listen/local_endpoint.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/json_string.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

void AppendMetric(std::string& out, std::string_view name, std::string_view type,
                  std::string_view help, std::uint64_t value) {
  absl::StrAppend(&out, "# HELP ", ToAbsl(name), " ", ToAbsl(help), "\n# TYPE ", ToAbsl(name), " ",
                  ToAbsl(type), "\n", ToAbsl(name), " ", value, "\n");
}

void AppendHistogram(std::string& out, std::string_view name, std::string_view help,
                     const Durations& durations) {
  absl::StrAppend(&out, "# HELP ", ToAbsl(name), " ", ToAbsl(help), "\n# TYPE ", ToAbsl(name),
                  " histogram\n");
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < Durations::kBounds; ++i) {
    count += durations.counts()[i];
    absl::StrAppend(&out, ToAbsl(name), "_bucket{le=\"", Durations::BoundSeconds(i), "\"} ", count,
                    "\n");
  }
  count += durations.counts().back();
  absl::StrAppend(&out, ToAbsl(name), "_bucket{le=\"+Inf\"} ", count, "\n", ToAbsl(name), "_sum ",
                  durations.sum_seconds(), "\n", ToAbsl(name), "_count ", count, "\n");
}

}  // namespace

Task<void> LocalEndpoint::Serve(ClientConnection& connection) {
  const HttpRequest& request = connection.request();
  OwnAnswer answer;
  // An answer to HEAD leaves its body out by itself.
  if (request.method != HttpMethod::kGet && request.method != HttpMethod::kHead) {
    answer.status = 405;
    answer.headers.emplace_back("Allow", "GET, HEAD");
  } else if (request.scheme == UriScheme::kHttps) {
    answer.status = 421;  // this listener is a plain one
  } else if (request.target == "/healthz") {
    answer.body = R"({"status":"ok"})";
  } else if (request.target == "/readyz") {
    const std::string why = NotReadyBecause();
    answer.status = why.empty() ? 200 : 503;
    answer.body =
        why.empty() ? ReadyText() : R"({"status":"not ready","message":)" + JsonString(why) + "}";
  } else if (request.target == "/metrics") {
    answer.body = MetricsText();
    answer.headers.emplace_back("Content-Type", "text/plain; version=0.0.4");
  } else {
    answer.status = 404;
  }
  co_await connection.Answer(std::move(answer));
}

std::string LocalEndpoint::NotReadyBecause() const {
  if (gateway_.is_draining) return "the agent is shutting down";
  if (const std::string& why = gateway_.snapshots.not_taken(); !why.empty())
    return absl::StrCat("the policies that the control plane sends cannot be taken: ", why);
  if (gateway_.snapshots.is_shut())
    return absl::StrCat("the policies cannot be understood: ", gateway_.snapshots.not_understood());
  if (gateway_.snapshots.current() == nullptr)
    return "no policies have arrived from the control plane";
  if (const absl::Status& refusal = gateway_.snapshots.refusal(); !refusal.ok()) {
    return absl::StrCat("the control plane refuses this agent: ", refusal.message());
  }
  const absl::Status recorder = gateway_.recorder.status();
  if (!recorder.ok()) return absl::StrCat("the recorder refuses: ", recorder.message());
  if (uploader_.is_unreadable())
    return "what was recorded cannot be read back: see spool_unreadable in the log";
  if (uploader_.is_held_up())
    return "the control plane does not take this agent's records: see records_not_taken in the log";
  return {};
}

// What was refused for good is one recording's loss: whoever is sent here is served.
std::string LocalEndpoint::ReadyText() const {
  const std::size_t set_aside = uploader_.set_aside();
  if (set_aside == 0) return R"({"status":"ready"})";
  return absl::StrCat(
      R"({"status":"ready","message":"recordings that the control plane refused for good: )",
      set_aside,
      "; see recording_set_aside in the log, and move their files out of data_dir/set-aside once "
      R"(they are dealt with"})");
}

std::string LocalEndpoint::MetricsText() const {
  const Metrics& metrics = gateway_.metrics;
  std::string out;
  AppendMetric(out, "sallyport_agent_calls_forwarded_total", "counter",
               "Requests forwarded to servers.", metrics.calls_forwarded);
  AppendMetric(out, "sallyport_agent_messages_delivered_total", "counter",
               "Messages of servers given to clients.", metrics.messages_delivered);
  AppendMetric(out, "sallyport_agent_sessions_opened_total", "counter", "Sessions begun.",
               metrics.sessions_opened);
  AppendMetric(out, "sallyport_agent_sessions_ended_total", "counter", "Sessions ended.",
               metrics.sessions_ended);
  AppendMetric(out, "sallyport_agent_sessions", "gauge", "Live sessions.",
               gateway_.sessions.live());
  AppendMetric(out, "sallyport_agent_mcp_sessions", "gauge", "Open MCP sessions.",
               gateway_.sessions.connections());
  AppendMetric(out, "sallyport_agent_connections", "gauge", "Open client connections.",
               clients_.connections());
  AppendMetric(out, "sallyport_agent_calls_held", "gauge", "Calls held until a person decides.",
               static_cast<std::uint64_t>(gateway_.held_calls));
  AppendMetric(out, "sallyport_agent_spool_bytes", "gauge", "Recorded and not acknowledged yet.",
               gateway_.recorder.backlog_bytes());
  AppendMetric(out, "sallyport_agent_spool_capacity_bytes", "gauge", "Room for that.",
               gateway_.recorder.capacity_bytes());
  AppendMetric(out, "sallyport_agent_recordings_set_aside", "gauge",
               "Recordings that the control plane refused for good, whose files are still here.",
               uploader_.set_aside());
  AppendMetric(out, "sallyport_agent_records_shipped_total", "counter",
               "Records the control plane has acknowledged.", uploader_.acked_records());
  AppendMetric(out, "sallyport_agent_blocks_shipped_total", "counter",
               "Blocks that these records came in.", uploader_.acked_blocks());
  AppendMetric(out, "sallyport_agent_block_bytes_shipped_total", "counter",
               "Bytes of these blocks, as they travelled.", uploader_.acked_block_bytes());
  const RecorderTimings& timings = gateway_.recorder.timings();
  AppendHistogram(out, "sallyport_agent_record_wait_seconds",
                  "From a record's append until it is durable.", timings.wait);
  AppendHistogram(out, "sallyport_agent_commit_seconds",
                  "One write of pending records, with its sync.", timings.commit);
  AppendMetric(out, "sallyport_agent_commit_bytes_total", "counter",
               "Bytes that these commits wrote.", timings.commit_bytes);
  AppendHistogram(out, "sallyport_agent_loop_turn_seconds",
                  "One turn of the loop: how long what becomes ready may wait.",
                  gateway_.loop.turns());
  AppendMetric(out, "sallyport_agent_dropped_lines_total", "counter",
               "Lines of servers that were no messages.", gateway_.upstreams.dropped_lines());
  AppendMetric(out, "sallyport_agent_control_plane_connected", "gauge",
               "1 while the control plane's stream is up.",
               gateway_.snapshots.is_connected() ? 1 : 0);
  absl::StrAppend(&out,
                  "# HELP sallyport_agent_denials_total Refusals by reason.\n"
                  "# TYPE sallyport_agent_denials_total counter\n");
  for (std::size_t reason = 1; reason < metrics.denials.size(); ++reason) {
    if (metrics.denials[reason] == 0) continue;
    absl::StrAppend(&out, "sallyport_agent_denials_total{reason=\"",
                    ToAbsl(ReasonName(static_cast<types::v1::DenialReason>(reason))), "\"} ",
                    metrics.denials[reason], "\n");
  }
  return out;
}

}  // namespace sallyport::agent
