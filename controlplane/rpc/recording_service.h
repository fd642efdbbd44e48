#pragma once

#include "controlplane/recordings/ingest_records.h"
#include "controlplane/rpc/rpc_door.h"
#include "sallyport/agent/v1/recording_service.grpc.pb.h"

namespace sallyport::controlplane {

class RecordingRpc final : public agent::v1::RecordingService::Service {
 public:
  // Both outlive it.
  RecordingRpc(const RpcDoor& door, IngestRecords& ingest) : door_(door), ingest_(ingest) {}

  grpc::Status StreamRecords(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<agent::v1::StreamRecordsResponse, agent::v1::StreamRecordsRequest>*
          stream) override;

 private:
  const RpcDoor& door_;
  IngestRecords& ingest_;
};

}  // namespace sallyport::controlplane
