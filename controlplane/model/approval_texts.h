#pragma once

#include <cstddef>
#include <optional>

#include "sallyport/types/v1/approval.pb.h"

// What a caller or a server has written into an approval may be long: its arguments, other params
// and tool definition up to a MiB each. Only who decides needs all of it, and only while it is
// open; everything else - its row, lists, streams, notices - has the short form.
namespace sallyport::controlplane {

inline constexpr std::size_t kShortTextBytes = 4096;

// With each of those cut that is longer than kShortTextBytes, and named in `shortened`. What is
// short stays as it is.
types::v1::Approval ShortForm(const types::v1::Approval& approval);

// The members that ShortForm cuts, whole, and no others. nullopt: it cuts none.
std::optional<types::v1::Approval> LongTexts(const types::v1::Approval& approval);

// The whole approval, of its short form and its long texts.
types::v1::Approval WithTexts(types::v1::Approval approval, const types::v1::Approval& texts);

}  // namespace sallyport::controlplane
