#pragma once

#include <string>
#include <vector>

#include "common/record_run.h"
#include "sallyport/types/v1/record_run.pb.h"

namespace sallyport {

// Records as an agent sends them: a run for each stretch of consecutive records of one chain.
inline std::vector<types::v1::RecordRun> RunsOf(const std::vector<types::v1::Record>& records) {
  std::vector<types::v1::RecordRun> runs;
  const types::v1::Record* last = nullptr;
  for (const types::v1::Record& record : records) {
    const bool goes_on =
        last != nullptr && last->session_id() == record.session_id() && last->n() + 1 == record.n();
    if (!goes_on) runs.emplace_back();
    *runs.back().add_records() = record;
    last = &record;
  }
  return runs;
}

inline std::string Packed(const types::v1::RecordRun& run) {
  return RunPacker().Pack(run.SerializeAsString());
}

inline UnpackedRun Unpacked(const std::string& packed) {
  std::size_t room = kMaxRunBytes;
  return *UnpackedRun::Of(packed, room);
}

inline std::vector<types::v1::Record> RecordsOf(const UnpackedRun& run) {
  std::vector<types::v1::Record> records;
  for (const RecordView& view : run.records()) {
    records.emplace_back().ParseFromString(std::string(view.bytes));
  }
  return records;
}

inline std::vector<types::v1::Record> RecordsOf(const std::string& packed) {
  return RecordsOf(Unpacked(packed));
}

}  // namespace sallyport
