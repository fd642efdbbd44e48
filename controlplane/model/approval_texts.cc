#include "controlplane/model/approval_texts.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>

namespace sallyport::controlplane {
namespace {

using types::v1::Approval;

constexpr std::string_view kCutMark = "... (cut)";

// A text of an approval that may be long.
struct LongText {
  std::string_view name;
  const std::string& (Approval::*get)() const;
  std::string* (Approval::*mutate)();
};
constexpr LongText kLongTexts[] = {
    {"arguments", &Approval::arguments, &Approval::mutable_arguments},
    {"other_params", &Approval::other_params, &Approval::mutable_other_params},
    {"tool_definition", &Approval::tool_definition, &Approval::mutable_tool_definition},
};
constexpr std::string_view kCutPlaces = "cut";

bool IsLong(std::string_view text) { return text.size() > kShortTextBytes; }

bool HasLongCut(const Approval& approval) {
  const auto& cut = approval.cut();
  return std::accumulate(cut.begin(), cut.end(), std::size_t{0},
                         [](std::size_t sum, const std::string& place) {
                           return sum + place.size() + 1;
                         }) > kShortTextBytes;
}

// Between two characters.
void Cut(std::string& text) {
  std::size_t end = kShortTextBytes - kCutMark.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
  text.shrink_to_fit();
  text.append(kCutMark);
}

}  // namespace

Approval ShortForm(const Approval& approval) {
  Approval shown = approval;
  for (const LongText& text : kLongTexts) {
    if (!IsLong((shown.*text.get)())) continue;
    Cut(*(shown.*text.mutate)());
    shown.add_shortened(std::string(text.name));
  }
  if (HasLongCut(shown)) {
    shown.clear_cut();
    shown.add_shortened(std::string(kCutPlaces));
  }
  return shown;
}

std::optional<Approval> LongTexts(const Approval& approval) {
  Approval texts;
  bool is_long = false;
  for (const LongText& text : kLongTexts) {
    const std::string& value = (approval.*text.get)();
    if (!IsLong(value)) continue;
    *(texts.*text.mutate)() = value;
    is_long = true;
  }
  if (HasLongCut(approval)) {
    *texts.mutable_cut() = approval.cut();
    is_long = true;
  }
  return is_long ? std::optional(std::move(texts)) : std::nullopt;
}

Approval WithTexts(Approval approval, const Approval& texts) {
  for (const LongText& text : kLongTexts) {
    const std::string& value = (texts.*text.get)();
    if (!value.empty()) *(approval.*text.mutate)() = value;
  }
  if (!texts.cut().empty()) *approval.mutable_cut() = texts.cut();
  approval.clear_shortened();
  return approval;
}

}  // namespace sallyport::controlplane
