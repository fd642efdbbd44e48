#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "agent/mask/clear_and_shrink.h"

namespace sallyport::agent {

// What is looked through at once.
struct MaskText {
  enum class Kind : std::uint8_t {
    kString,
    kKey,
    kNumber,
    kFlag,
    kWhole,   // a document that is no JSON
    kFolded,  // what another text says when its escapes are undone; it stands nowhere
  };
  std::uint32_t begin = 0;  // in the arena
  std::uint32_t end = 0;
  std::uint32_t document = 0;
  // In the document's text: between the quotes of strings and keys. kFolded: its pieces.
  std::uint32_t raw_begin = 0;
  std::uint32_t raw_end = 0;
  // The node of the message that it is, or is in.
  std::uint32_t node = 0;
  Kind kind = Kind::kString;
  bool is_escaped = false;
  // It is packed in a text that must stay, see MessageTexts::MustStay.
  bool is_in_fixed = false;
  // How often something had to be undone to see it.
  std::uint8_t level = 0;
};

// Texts, decoded, one behind the other with a NUL behind each, so that all take one search.
class TextArena {
 public:
  // Gives large memory back.
  void Clear() {
    if (bytes_.size() > kKeptBytes) std::string().swap(bytes_);
    size_ = 0;
    ClearAndShrink(texts_);
    last_ = 0;
  }

  // `text` without its place, which becomes the arena's end. `decoded` lies elsewhere.
  const MaskText& Add(const MaskText& text, std::string_view decoded) {
    if (bytes_.size() - size_ <= decoded.size()) {
      bytes_.resize(std::max(bytes_.size() * 2, size_ + decoded.size() + 1));
    }
    MaskText& added = texts_.emplace_back(text);
    added.begin = static_cast<std::uint32_t>(size_);
    std::memcpy(bytes_.data() + size_, decoded.data(), decoded.size());
    size_ += decoded.size();
    bytes_[size_] = '\0';
    added.end = static_cast<std::uint32_t>(size_++);
    return added;
  }

  // Until the next Add.
  std::string_view bytes() const { return {bytes_.data(), size_}; }
  std::string_view Of(const MaskText& text) const {
    return bytes().substr(text.begin, text.end - text.begin);
  }
  const std::vector<MaskText>& texts() const { return texts_; }

  // The text that holds this place; nullptr between texts. Cheap where the last place asked for was
  // near and before.
  const MaskText* At(std::size_t place) const {
    constexpr std::size_t kNear = 8;
    for (std::size_t i = last_; i < std::min(texts_.size(), last_ + kNear); ++i) {
      if (place < texts_[i].begin) break;
      if (place < texts_[i].end) {
        last_ = i;
        return &texts_[i];
      }
    }
    const auto after = std::upper_bound(
        texts_.begin(), texts_.end(), place,
        [](std::size_t value, const MaskText& text) { return value < text.begin; });
    if (after == texts_.begin()) return nullptr;
    const MaskText& text = *std::prev(after);
    last_ = static_cast<std::size_t>(&text - texts_.data());
    return place < text.end ? &text : nullptr;
  }

 private:
  static constexpr std::size_t kKeptBytes = 1u << 20;

  std::string bytes_;  // longer than what it holds
  std::size_t size_ = 0;
  std::vector<MaskText> texts_;
  mutable std::size_t last_ = 0;  // that At has found
};

}  // namespace sallyport::agent
