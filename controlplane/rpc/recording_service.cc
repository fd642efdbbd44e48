#include "controlplane/rpc/recording_service.h"

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/turns.h"

namespace sallyport::controlplane {

grpc::Status RecordingRpc::StreamRecords(
    grpc::ServerContext* context,
    grpc::ServerReaderWriter<agent::v1::StreamRecordsResponse, agent::v1::StreamRecordsRequest>*
        stream) {
  return door_.Pass(*context, *agent::v1::StreamRecordsRequest::descriptor(),
                    [&](const Caller& caller) -> absl::Status {
                      // Reading a block goes at the turns that taking the last one went at.
                      const absl::Cleanup done = [] { TakeOrdinaryTurns(); };
                      agent::v1::StreamRecordsRequest block;
                      for (uint64_t expected = 1; stream->Read(&block); ++expected) {
                        if (block.block() != expected) {
                          return absl::InvalidArgumentError(absl::StrCat(
                              "block ", block.block(), " where ", expected, " was due"));
                        }
                        RETURN_IF_ERROR(ingest_.Run(caller, block));
                        agent::v1::StreamRecordsResponse acknowledgement;
                        acknowledgement.set_block(block.block());
                        if (!stream->Write(acknowledgement))
                          return absl::CancelledError("the agent has gone");
                      }
                      return absl::OkStatus();
                    });
}

}  // namespace sallyport::controlplane
