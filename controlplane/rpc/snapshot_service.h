#pragma once

#include "common/clock.h"
#include "controlplane/access/agent_updates.h"
#include "controlplane/access/confirmed_ends.h"
#include "controlplane/identity/issuers.h"
#include "controlplane/keys/grant_signer.h"
#include "controlplane/policies/build_snapshot.h"
#include "controlplane/rpc/connected_agents.h"
#include "controlplane/rpc/rpc_door.h"
#include "controlplane/store/database.h"
#include "sallyport/agent/v1/snapshot_service.grpc.pb.h"

namespace sallyport::controlplane {

class SnapshotRpc final : public agent::v1::SnapshotService::Service {
 public:
  // All of them outlive it.
  struct Needs {
    Database& control;
    const Clock& clock;
    Issuers& issuers;
    const GrantSigner& grant_signer;
    const BuildSnapshot& build;
    AgentUpdates& updates;
    ConnectedAgents& connected;
    ConfirmedEnds& confirmed_ends;
  };
  SnapshotRpc(const RpcDoor& door, Needs needs) : door_(door), needs_(needs) {}

  grpc::Status WatchSnapshot(grpc::ServerContext* context,
                             const agent::v1::WatchSnapshotRequest* request,
                             grpc::ServerWriter<agent::v1::AgentUpdate>* writer) override;
  grpc::Status Beat(grpc::ServerContext* context, const agent::v1::BeatRequest* request,
                    agent::v1::BeatResponse* response) override;
  grpc::Status RefreshKeys(grpc::ServerContext* context,
                           const agent::v1::RefreshKeysRequest* request,
                           agent::v1::RefreshKeysResponse* response) override;

 private:
  class UpdateStream;

  const RpcDoor& door_;
  const Needs needs_;
};

}  // namespace sallyport::controlplane
