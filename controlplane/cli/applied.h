#pragma once

#include "sallyport/admin/v1/policy_service.pb.h"

namespace sallyport::controlplane {

// A document that was put, for people: `policy/wiki changed (version 3)`. Of a dry run, the
// difference above it.
void ShowApplied(const admin::v1::AppliedDocument& document, bool dry_run);

// Its warnings, on stderr: whoever applies it must hear of them, whatever reads the output.
void WarnOf(const admin::v1::AppliedDocument& document);

}  // namespace sallyport::controlplane
