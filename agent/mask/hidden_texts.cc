// What stands in the texts of a message in another form: the second half of MessageTexts.
#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "agent/mask/message_texts.h"
#include "common/status_macros.h"

namespace sallyport::agent {

absl::Status MessageTexts::Descend(const MaskText& of, std::size_t bytes) {
  if (of.level + 1u == kMaxLevels) return absl::InvalidArgumentError("text is hidden too deep");
  if (bytes > hidden_left_) return absl::InvalidArgumentError("too much text is hidden");
  hidden_left_ -= bytes;
  return absl::OkStatus();
}

absl::Status MessageTexts::AddHidden(std::size_t from) {
  const std::size_t end = arena().size();
  FoldUnit unit;
  for (std::size_t at = from;
       NextUnit({.text = arena().substr(0, end), .sites = sites_}, at, unit);) {
    const MaskText* const text = TextAt(unit.begin);
    if (text == nullptr) return absl::InternalError("a unit in no text");
    const MaskText of = *text;
    unit.begin -= of.begin;
    RETURN_IF_ERROR(AddFolded(of, unit));
    at = of.end;
  }
  for (std::size_t at = sites_.NextRun(from); at < end; at = sites_.NextRun(at)) {
    const MaskText* const text = TextAt(at);
    if (text == nullptr) return absl::InternalError("a run in no text");
    const MaskText of = *text;
    // Behind what was packed the run may go on.
    for (std::size_t run_end = 0; at != std::string_view::npos;) {
      if (at >= run_end) run_end = EndOfRun(arena().substr(0, of.end), at);
      PackedTexts texts(at, run_end);
      while (std::optional<PackedText> packed = texts.Next(arena().substr(0, of.end))) {
        RETURN_IF_ERROR(AddPacked(of, *std::move(packed)));
      }
      at = NextRun(arena().substr(0, of.end), texts.end());
    }
    at = of.end;
  }
  return absl::OkStatus();
}

absl::Status MessageTexts::AddFolded(const MaskText& of, FoldUnit unit) {
  for (bool has_more = true; has_more;) {
    MaskText text = of;
    text.kind = MaskText::Kind::kFolded;
    text.level = static_cast<std::uint8_t>(of.level + 1);
    text.raw_begin = static_cast<std::uint32_t>(pieces_.size());
    has_more = Fold({.text = arena_.Of(of), .begin = of.begin, .sites = sites_},
                    static_cast<std::uint32_t>(arena().size()), unit, folded_, pieces_);
    text.raw_end = static_cast<std::uint32_t>(pieces_.size());
    // A unit may mean nothing, and stand alone.
    if (!folded_.empty()) arena_.Add(text, folded_);
    RETURN_IF_ERROR(Descend(of, folded_.size()));
  }
  return absl::OkStatus();
}

absl::Status MessageTexts::AddPacked(const MaskText& of, PackedText packed) {
  RETURN_IF_ERROR(Descend(of, packed.text.size()));
  const std::string_view inner = kept_.emplace_back(std::move(packed.text));
  MaskDocument document = {.text = inner,
                           .encoding = MaskDocument::Encoding::kPacked,
                           .begin = static_cast<std::uint32_t>(packed.begin),
                           .end = static_cast<std::uint32_t>(packed.end),
                           .form = std::move(packed.form)};
  Level level;
  level.outer_node = of.node;
  level.is_in_fixed = MustStay(of);
  level.text_level = static_cast<std::uint8_t>(of.level + 1);
  ASSIGN_OR_RETURN(const bool is_document, AddNested(level, of.node, document));
  if (is_document) return absl::OkStatus();
  documents_.push_back(std::move(document));
  MaskText whole;
  whole.kind = MaskText::Kind::kWhole;
  whole.document = static_cast<std::uint32_t>(documents_.size() - 1);
  whole.raw_end = static_cast<std::uint32_t>(inner.size());
  whole.node = of.node;
  whole.is_in_fixed = level.is_in_fixed;
  whole.level = level.text_level;
  const std::uint32_t begin = arena_.Add(whole, inner).begin;
  return has_fields_ ? AddEmbedded(level, of.node, inner, begin) : absl::OkStatus();
}

void MessageTexts::Unfold(std::uint32_t& begin, std::uint32_t& end) const {
  for (const MaskText* text = TextAt(begin);
       text != nullptr && text->kind == MaskText::Kind::kFolded; text = TextAt(begin)) {
    const auto piece_at = [&](std::uint32_t place) -> const FoldPiece& {
      const auto after = std::upper_bound(
          pieces_.begin() + text->raw_begin, pieces_.begin() + text->raw_end, place,
          [](std::uint32_t value, const FoldPiece& piece) { return value < piece.folded; });
      return *std::prev(after);
    };
    const FoldPiece& first = piece_at(begin);
    const FoldPiece& last = piece_at(end - 1);
    end = last.size != 0 ? last.source + last.size : last.source + (end - last.folded);
    begin = first.size != 0 ? first.source : first.source + (begin - first.folded);
  }
}

}  // namespace sallyport::agent
