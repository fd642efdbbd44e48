#pragma once

#include <cstddef>
#include <string_view>

// JSON in texts, as far as one can see without reading it.
namespace sallyport::agent {

// It begins as an object or a list and ends as one.
inline bool LooksLikeJson(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  if (text.size() <= 2 || (text.front() != '{' && text.front() != '[')) return false;
  const char closer = text.front() == '{' ? '}' : ']';
  while (is_space(text.back())) text.remove_suffix(1);
  return text.size() > 2 && text.back() == closer;
}

// Where the object or array that may begin at `at` ends; 0: none begins, or it does not end. Quotes
// are minded; whether it is JSON is judged elsewhere.
std::size_t BracketEnd(std::string_view text, std::size_t at);

}  // namespace sallyport::agent
