#pragma once

#include "agent/record/recorder.h"
#include "sallyport/types/v1/record.pb.h"

namespace sallyport::agent {

// What the record of an event says.
types::v1::RecordContent ContentOf(const EventFacts& facts);

}  // namespace sallyport::agent
