#include "controlplane/rpc/snapshot_service.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "controlplane/rpc/watch.h"
#include "controlplane/store/agents.h"
#include "controlplane/store/audit_log.h"

namespace sallyport::controlplane {
namespace {

constexpr absl::Duration kHeartbeat = absl::Seconds(5);
constexpr std::size_t kMaxWhyBytes = 1000;
constexpr int kMaxEndsOfBeat = 1000;
constexpr std::size_t kMaxInstanceBytes = 64;
// How often a stream that is open is written down as the agent having been seen.
constexpr absl::Duration kSeenInterval = absl::Minutes(1);

}  // namespace

// One agent's stream, on the thread of its call.
class SnapshotRpc::UpdateStream {
 public:
  UpdateStream(const Needs& needs, const grpc::ServerContext& context, const Caller& caller,
               const agent::v1::WatchSnapshotRequest& request,
               grpc::ServerWriter<agent::v1::AgentUpdate>& writer)
      : needs_(needs),
        context_(context),
        caller_(caller),
        agent_(caller.agent()->name),
        writer_(writer),
        stream_(needs.connected, agent_,
                {.instance = request.instance(), .address = caller.address()}, needs.clock.Now()) {}

  absl::Status Run() {
    uint64_t cursor = needs_.control.changes().Now();
    if (stream_.other().has_value()) TellOfCopy(*stream_.other());
    RETURN_IF_ERROR(SendAll());
    for (;;) {
      RETURN_IF_ERROR(MayGoOn(context_, caller_, needs_.control.changes(), needs_.clock));
      if (stream_.is_superseded()) {
        return absl::AbortedError("another stream of this agent has taken over");
      }
      (void)needs_.control.changes().WaitSince(cursor, kWatchTick);
      // Before the changes are read: what was committed before the beat came is among them.
      const uint64_t beat = stream_.beat();
      const Changes news = needs_.control.changes().Since(cursor);
      if (news.is_gap) {
        return absl::UnavailableError("more has changed than the agent took; it is to begin anew");
      }
      cursor = news.cursor;
      RETURN_IF_ERROR(SendChanges(news.items));
      RETURN_IF_ERROR(CheckInService(news.items));
      RETURN_IF_ERROR(KeepAlive(beat));
    }
  }

 private:
  // Each of the two has all that the agent may have, and neither hears all that it is told.
  void TellOfCopy(const ConnectedAgents::Process& other) const {
    LogError("agent_copy_seen",
             {{"agent", agent_},
              {"addresses", absl::StrCat(other.address, " ", caller_.address())},
              {"detail",
               "two processes run with this agent's key, as from a copied data_dir, and take its "
               "stream from each other: stop one of them, and if nobody made it, ban the agent"}});
    const absl::Status noted = [&]() -> absl::Status {
      ASSIGN_OR_RETURN(const auto t, needs_.control.Write(WriteFor::kOperators));
      RETURN_IF_ERROR(audit_log::Append(
          *t,
          audit_log::LineOf(caller_, needs_.clock.Now(), "agent.copy_seen", agent_,
                            absl::StrCat("another process with its key is at ", other.address))));
      return t->Commit();
    }();
    if (!noted.ok()) LogWarning("agent_copy_not_noted", {{"agent", agent_}, {"error", noted}});
  }

  // All there is to know: what the stream begins with.
  absl::Status SendAll() {
    ASSIGN_OR_RETURN(const std::vector<agent::v1::AgentUpdate> ended,
                     needs_.updates.Ended(agent_, needs_.clock.Now()));
    for (const agent::v1::AgentUpdate& update : ended) RETURN_IF_ERROR(Send(update));
    RETURN_IF_ERROR(SendSnapshot());
    ASSIGN_OR_RETURN(const std::vector<agent::v1::AgentUpdate> all, needs_.updates.All(agent_));
    for (const agent::v1::AgentUpdate& update : all) RETURN_IF_ERROR(Send(update));
    agent::v1::AgentUpdate resynced;
    resynced.mutable_resynced();
    return Send(resynced);
  }

  // What is sent is how things are now, so that of several changes of one thing the first says all.
  absl::Status SendChanges(const std::vector<Change>& changes) {
    for (auto change = changes.begin(); change != changes.end(); ++change) {
      if (std::find(changes.begin(), change, *change) != change) continue;
      if (change->kind == ChangeKind::kSnapshot) {
        RETURN_IF_ERROR(SendSnapshot());
        continue;
      }
      ASSIGN_OR_RETURN(const auto update, needs_.updates.Of(agent_, *change));
      if (update) RETURN_IF_ERROR(Send(*update));
    }
    return absl::OkStatus();
  }

  // A ban ends the stream, after the ends of the agent's sessions have been told.
  absl::Status CheckInService(const std::vector<Change>& changes) {
    const Change agent{ChangeKind::kAgent, agent_};
    if (std::find(changes.begin(), changes.end(), agent) == changes.end()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const auto t, needs_.control.Read());
    return agents::FindInService(*t, agent_).status();
  }

  absl::Status SendSnapshot() {
    const BuildSnapshot::Keys keys{.issuers = needs_.issuers.ForSnapshot(),
                                   .grant_keys = needs_.grant_signer.public_keys()};
    agent::v1::AgentUpdate update;
    ASSIGN_OR_RETURN(*update.mutable_snapshot(), needs_.build.Run(agent_, keys));
    return Send(update);
  }

  absl::Status KeepAlive(uint64_t beat) {
    const absl::Duration now = needs_.clock.SinceBoot();
    if (now - seen_at_ >= kSeenInterval) {
      seen_at_ = now;
      // The stream tells the agent what is revoked: it does not end because of this.
      if (const absl::Status noted = NoteSeen(); !noted.ok())
        LogWarning("agent_seen_not_noted", {{"agent", agent_}, {"error", noted}});
    }
    if (beat == said_back_ && now - sent_at_ < kHeartbeat) return absl::OkStatus();
    said_back_ = beat;
    agent::v1::AgentUpdate heartbeat;
    heartbeat.mutable_heartbeat()->set_beat(beat);
    return Send(heartbeat);
  }

  absl::Status NoteSeen() {
    ASSIGN_OR_RETURN(const auto t, needs_.control.Write(WriteFor::kOperators));
    RETURN_IF_ERROR(agents::NoteSeen(*t, agent_, needs_.clock.Now()));
    return t->Commit();
  }

  absl::Status Send(const agent::v1::AgentUpdate& update) {
    if (!writer_.Write(update)) return absl::CancelledError("the agent has gone");
    sent_at_ = needs_.clock.SinceBoot();
    return absl::OkStatus();
  }

  const Needs& needs_;
  const grpc::ServerContext& context_;
  const Caller& caller_;
  const std::string agent_;
  grpc::ServerWriter<agent::v1::AgentUpdate>& writer_;
  const ConnectedAgents::Stream stream_;
  absl::Duration sent_at_;
  uint64_t said_back_ = 0;
  absl::Duration seen_at_ = -absl::InfiniteDuration();
};

grpc::Status SnapshotRpc::WatchSnapshot(grpc::ServerContext* context,
                                        const agent::v1::WatchSnapshotRequest* request,
                                        grpc::ServerWriter<agent::v1::AgentUpdate>* writer) {
  return door_.Pass(*context, *request->GetDescriptor(), [&](const Caller& caller) -> absl::Status {
    if (request->instance().size() > kMaxInstanceBytes)
      return absl::InvalidArgumentError("instance is longer than 64 bytes");
    LogInfo("agent_connected", {{"agent", caller.agent()->name}});
    const absl::Status status = UpdateStream(needs_, *context, caller, *request, *writer).Run();
    LogInfo("agent_disconnected", {{"agent", caller.agent()->name}, {"why", status}});
    return status;
  });
}

grpc::Status SnapshotRpc::Beat(grpc::ServerContext* context, const agent::v1::BeatRequest* request,
                               agent::v1::BeatResponse* response) {
  return door_.Answer<agent::v1::BeatRequest, agent::v1::BeatResponse>(
      *context, *request, response,
      [&](const Caller& caller, const auto& r) -> absl::StatusOr<agent::v1::BeatResponse> {
        const std::string& name = caller.agent()->name;
        if (r.not_understood().size() > kMaxWhyBytes) {
          return absl::InvalidArgumentError("not_understood is longer than 1,000 bytes");
        }
        if (r.ended_sessions_size() > kMaxEndsOfBeat) {
          return absl::InvalidArgumentError("more than 1,000 ended sessions in one beat");
        }
        for (const std::string& id : r.ended_sessions()) needs_.confirmed_ends.Note(name, id);
        needs_.connected.NoteBeat(name, r.beat());
        if (needs_.connected.NoteNotUnderstood(name, r.not_understood())) {
          LogWarning(
              "agent_understands_policies",
              {{"agent", name}, {"all", r.not_understood().empty()}, {"not", r.not_understood()}});
        }
        return agent::v1::BeatResponse();
      });
}

grpc::Status SnapshotRpc::RefreshKeys(grpc::ServerContext* context,
                                      const agent::v1::RefreshKeysRequest* request,
                                      agent::v1::RefreshKeysResponse* response) {
  return door_.Answer<agent::v1::RefreshKeysRequest, agent::v1::RefreshKeysResponse>(
      *context, *request, response,
      [&](const Caller&, const auto& r) -> absl::StatusOr<agent::v1::RefreshKeysResponse> {
        agent::v1::RefreshKeysResponse refreshed;
        ASSIGN_OR_RETURN(const bool found, needs_.issuers.Refresh(r.issuer_id(), r.key_id()));
        refreshed.set_found(found);
        return refreshed;
      });
}

}  // namespace sallyport::controlplane
