#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sallyport/types/v1/policy.pb.h"
#include "sallyport/types/v1/policy_test_document.pb.h"

// Documents as people write them (YAML) to documents as programs use them. What passes here means
// what it says: a document that could be read in two ways, or that asks for what this version does
// not do, is refused. Errors are kInvalidArgument and name file, line and key.
namespace sallyport {

// How long sessions and approvals may be, and what a policy that is silent gets.
inline constexpr absl::Duration kDefaultMaxDuration = absl::Hours(1);
inline constexpr absl::Duration kLongestMaxDuration = absl::Hours(24);
inline constexpr absl::Duration kDefaultIdleTimeout = absl::Minutes(10);
inline constexpr absl::Duration kDefaultDisconnectGrace = absl::Seconds(30);
inline constexpr absl::Duration kDefaultApprovalExpiry = absl::Minutes(10);
inline constexpr absl::Duration kShortestLease = absl::Seconds(5);
inline constexpr absl::Duration kDefaultStrictLease = absl::Seconds(10);
// Of `once` and `limit`.
inline constexpr absl::Duration kLongestEffectWindow = absl::Hours(24 * 366);

// `file` is what errors call it. A text may hold several documents of the kinds Policy,
// MaskProfile, Lock and Server; (kind, name) twice is refused. `source` of each is its own YAML;
// version, updated_at and updated_by are unset.
absl::StatusOr<std::vector<types::v1::Document>> ParseDocuments(std::string_view text,
                                                                std::string_view file);

// A text with one document of the kind PolicyTest.
absl::StatusOr<types::v1::PolicyTestDocument> ParsePolicyTest(std::string_view text,
                                                              std::string_view file);

// A text that documents may stand in.
struct NamedText {
  std::string_view file;
  std::string_view text;
};

// Every mask name of `documents`' policies must be a detector, a group or a profile of
// `profile_names`. The error names the policy and the word; of a policy that stands in one of
// `texts`, the file and the line, too.
absl::Status CheckMaskNames(const std::vector<types::v1::Document>& documents,
                            const std::set<std::string>& profile_names,
                            std::span<const NamedText> texts = {});

// Whether `name` may be a document's: [a-z0-9][a-z0-9._-]{0,62}.
bool IsDocumentName(std::string_view name);

// `Policy`, `MaskProfile`, `Lock`; empty for UNSPECIFIED.
std::string_view DocumentKindName(types::v1::DocumentKind kind);

// From a document's `kind` (`MaskProfile`) or a command line (`mask-profile`). UNSPECIFIED:
// neither.
types::v1::DocumentKind DocumentKindFromName(std::string_view name);

}  // namespace sallyport
