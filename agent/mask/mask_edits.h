#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/mask/message_texts.h"
#include "agent/mcp/message.h"

namespace sallyport::agent {

// Replaces a range, of the arena or of a document's text.
struct MaskEdit {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string text;
  // Of (one of) the findings.
  std::string_view name;
  // Which one of the list it is counted in.
  std::size_t finding = 0;
  // It puts a packed text anew, with its findings replaced, instead of replacing a finding.
  bool is_rewrite = false;
  // Of (one of) the findings: it is the session's credential.
  bool is_credential = false;
};

// What a finding becomes.
class MaskReplacement {
 public:
  MaskReplacement(MaskFor mask_for, std::string_view token_key) : for_(mask_for), key_(token_key) {}
  std::string Of(const MaskHit& hit, std::string_view found) const;

 private:
  MaskFor for_;
  std::string_view key_;
};

// Turns findings, sorted or not, into edits of the arena; overlapping ones become
// one. Adds what was found to `findings`. An error when something is found that must stay as it is,
// or under the operator `block`.
absl::Status PlanEdits(const MessageTexts& texts, std::vector<MaskHit>& hits,
                       const MaskReplacement& replacement, MaskFor mask_for,
                       std::vector<MaskEdit>& edits, std::vector<Finding>& findings);

// Carries edits of the arena out through the escapes and the encodings of the texts that they are
// in, until all are edits of the message, in order. A value that was found in two readings of its
// text counts once in `findings`.
void CarryOut(const MessageTexts& texts, std::vector<MaskEdit>& edits,
              std::vector<Finding>& findings);

}  // namespace sallyport::agent
