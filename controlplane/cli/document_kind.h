#pragma once

#include <string>
#include <vector>

#include "sallyport/types/v1/policy.pb.h"

// Kinds of documents as they are written on the command line.
namespace sallyport::controlplane {

// policy, mask-profile, server, lock.
const std::vector<std::string>& KindWords();

// UNSPECIFIED: it is none of them.
types::v1::DocumentKind KindOf(const std::string& word);
std::string KindWord(types::v1::DocumentKind kind);

// As a person says how many: `no policies`.
std::string KindPlural(types::v1::DocumentKind kind);

}  // namespace sallyport::controlplane
