#pragma once

#include <string>

#include "sallyport/types/v1/approval.pb.h"
#include "sallyport/types/v1/call.pb.h"

namespace sallyport::controlplane {

// All that an approver is to know, a fact a line, printable.
std::string ApprovalText(const types::v1::Approval& approval);

// `1 of 2`: how many of the people it takes have approved it.
std::string Progress(const types::v1::Approval& approval);

// Of a pending one, how many more people it takes.
std::string StillNeeded(const types::v1::Approval& approval);

// A call in doubt, on one line, printable.
std::string CallText(const types::v1::Call& call);
// One that was in doubt, with what somebody has said of it.
std::string SettledText(const types::v1::Call& call);

}  // namespace sallyport::controlplane
