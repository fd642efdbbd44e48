#pragma once

#include <string>

#include "common/value.h"
#include "sallyport/types/v1/record.pb.h"

namespace sallyport {

// The member that has a record's time. Written as a string: programs that keep numbers as doubles
// (jq 1.6) would round it, and what they write would verify no more. A reader takes a number, too.
inline constexpr char kRecordTimeMember[] = "timeUnixNanos";

// The record, with what its payload says decoded beside it as `content` and `body`.
Value RecordValue(const types::v1::Record& record);

// RecordValue as one line of JSON, without a line break.
std::string RecordJson(const types::v1::Record& record);

}  // namespace sallyport
