#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace sallyport::controlplane {

// What is known of one thing, for people: lines of `name value`, made printable. What is empty is
// left out.
class Facts {
 public:
  void Add(std::string_view name, std::string_view value);
  std::string Text() && { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace sallyport::controlplane
