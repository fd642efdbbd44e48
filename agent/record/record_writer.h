#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "agent/mcp/message.h"
#include "agent/record/recorder.h"
#include "common/record_run.h"
#include "sallyport/types/v1/record.pb.h"

// Serializes records by hand, into strings that are used again: two records a call are on the path
// of every call, and the messages of the generated code would allocate for each of their fields. A
// test holds what is written here against the generated parser.
namespace sallyport::agent {

// What a RecordContent of a message says.
struct ContentFields {
  std::string_view method;
  std::string_view target;
  std::string_view rpc_id;
  std::string_view body;
  std::uint64_t original_bytes = 0;
  std::span<const Finding> findings;
  types::v1::DenialReason denial_reason = types::v1::DENIAL_REASON_UNSPECIFIED;
  std::string_view outcome;
  std::uint64_t request_n = 0;
  std::string_view detail;
  bool is_counted = false;
};

// Replaces `out` by a serialized RecordContent.
void WriteContent(std::string& out, const RecordFacts& facts, const ContentFields& fields);

// Replaces `out` by a serialized Record.
void WriteRecord(std::string& out, const RecordFields& fields);

struct RecordId {
  std::string_view session_id;
  std::uint64_t n = 0;
};

// Of what WriteRecord wrote: the two stand in front, and nothing behind them is looked at. Empty:
// it is something else.
RecordId ReadRecordId(std::string_view record);

}  // namespace sallyport::agent
