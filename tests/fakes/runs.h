#pragma once

#include <string>
#include <vector>

#include "common/record_run.h"

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

inline std::vector<types::v1::Record> Unpacked(const std::string& packed) {
  types::v1::RecordRun run;
  std::size_t room = kMaxRunBytes;
  if (!UnpackRun(packed, room, run).ok()) return {};
  return {run.records().begin(), run.records().end()};
}

}  // namespace sallyport
