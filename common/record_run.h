#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sallyport/types/v1/record.pb.h"

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

// The fields of a types.v1.Record.
struct RecordFields {
  std::string_view session_id;
  std::uint64_t n = 0;
  types::v1::RecordType type = types::v1::RECORD_TYPE_UNSPECIFIED;
  std::int64_t time_unix_nanos = 0;
  std::string_view salt;
  std::string_view payload;
  std::string_view payload_digest;
  std::string_view hash;
};

// A record where it lies in its run: the texts are views of it.
struct RecordView : RecordFields {
  std::string_view bytes;  // serialized
};

// What a packed run holds. Nothing of it is copied: of the thousands of records that come in a
// block most are hashed and no more.
class UnpackedRun {
 public:
  // Takes what it unpacks off `room`, which begins at kMaxRunBytes. kInvalidArgument: it is no run,
  // or one for which there is no room; nothing is unpacked of such a frame.
  static absl::StatusOr<UnpackedRun> Of(std::string_view packed, std::size_t& room);

  std::span<const RecordView> records() const { return records_; }

 private:
  explicit UnpackedRun(std::size_t bytes) : bytes_(std::make_unique_for_overwrite<char[]>(bytes)) {}
  bool Read(std::size_t size);

  std::unique_ptr<char[]> bytes_;
  std::vector<RecordView> records_;
};

}  // namespace sallyport
