#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace sallyport::agent {

// A text that most messages do not have, which then costs no more than a pointer: a message moves
// through a dozen hands. Reads as a string, and one that is not there as an empty one.
class RareText {
 public:
  RareText() = default;
  RareText(const RareText& other)
      : text_(other.empty() ? nullptr : std::make_unique<std::string>(*other.text_)) {}
  RareText(RareText&&) noexcept = default;
  RareText& operator=(const RareText& other) {
    if (this != &other) *this = RareText(other);
    return *this;
  }
  RareText& operator=(RareText&&) noexcept = default;
  ~RareText() = default;

  RareText& operator=(std::string text) {
    text_ = text.empty() ? nullptr : std::make_unique<std::string>(std::move(text));
    return *this;
  }

  bool empty() const { return text_ == nullptr; }
  const std::string& text() const {
    static const std::string none;
    return empty() ? none : *text_;
  }
  operator const std::string&() const { return text(); }  // NOLINT: reads as one
  operator std::string_view() const { return text(); }    // NOLINT: likewise
  friend bool operator==(const RareText& a, std::string_view b) { return a.text() == b; }

 private:
  std::unique_ptr<std::string> text_;  // never an empty one
};

}  // namespace sallyport::agent
