#include "common/printable.h"

#include <cstdint>

#include "absl/strings/str_format.h"
#include "common/json_string.h"
#include "common/utf8.h"

namespace sallyport {

bool IsUnsafeToShow(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x34f || c == 0x61c ||
         c == 0x115f || c == 0x1160 || c == 0x17b4 || c == 0x17b5 || (c >= 0x180b && c <= 0x180f) ||
         (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2060 && c <= 0x206f) || c == 0x2800 || c == 0x3164 || c == 0xfeff || c == 0xffa0 ||
         (c >= 0xfff9 && c <= 0xfffb) || (c >= 0x1d173 && c <= 0x1d17a) ||
         (c >= 0xe0000 && c <= 0xe0fff);
}

std::string Printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    char32_t c = 0;
    const std::size_t length = DecodeUtf8(text, &c);
    if (length == 0) {
      absl::StrAppendFormat(&out, "\\x{%02x}", static_cast<unsigned char>(text[0]));
      text.remove_prefix(1);
      continue;
    }
    if (IsUnsafeToShow(c)) {
      absl::StrAppendFormat(&out, "\\u{%x}", static_cast<std::uint32_t>(c));
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  return out;
}

std::string PrintableJson(std::string_view json) {
  std::string out;
  bool in_string = false;
  while (!json.empty()) {
    char32_t c = 0;
    std::size_t length = DecodeUtf8(json, &c);
    if (length == 0) {
      out += "\uFFFD";
      length = 1;
    } else if (!in_string && (c == '\n' || c == '\r' || c == '\t')) {
      out += ' ';
    } else if (IsUnsafeToShow(c)) {
      AppendJsonEscape(c, &out);
    } else {
      // An escaped character says nothing about where the string ends.
      if (in_string && c == '\\' && json.size() > 1 && json[1] > 0x20 && json[1] < 0x7f) ++length;
      if (c == '"') in_string = !in_string;
      out.append(json.substr(0, length));
    }
    json.remove_prefix(length);
  }
  return out;
}

}  // namespace sallyport
