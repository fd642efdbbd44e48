#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sallyport/types/v1/record_run.pb.h"

namespace sallyport {

// A run is records of one chain, in order, packed as they travel and as they are stored: a zstd
// frame of a serialized types.v1.RecordRun.

// What the runs of one block unpack to is never more: a record of the largest message, and room
// around it.
inline constexpr std::size_t kMaxRunBytes = std::size_t{72} << 20;

// Packs runs, one after the other. Not thread-safe.
class RunPacker {
 public:
  RunPacker();
  ~RunPacker();
  RunPacker(const RunPacker&) = delete;
  RunPacker& operator=(const RunPacker&) = delete;

  // `run` is a serialized RecordRun: what AppendRecord made of an empty string.
  std::string Pack(std::string_view run);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// Adds a serialized types.v1.Record to a serialized RecordRun, without parsing either.
void AppendRecord(std::string& run, std::string_view record);

// Takes what it unpacks off `room`, which begins at kMaxRunBytes. kInvalidArgument: it is no run,
// or one for which there is no room; nothing is unpacked of such a frame.
absl::Status UnpackRun(std::string_view packed, std::size_t& room, types::v1::RecordRun& run);

}  // namespace sallyport
