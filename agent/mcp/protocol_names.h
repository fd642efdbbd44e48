#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/mcp/json_index.h"

namespace sallyport::agent {

// The names that the protocol gives a meaning in one kind of object, none of them equal but for
// case.
class ProtocolNames {
 public:
  // Beside the places of names, what Find gives.
  static constexpr std::size_t kOther = 254;
  static constexpr std::size_t kTwin = 255;
  static constexpr std::size_t kMaxNames = 32;

  template <std::size_t n>
  explicit consteval ProtocolNames(const std::string_view (&names)[n]) : size_(n) {
    static_assert(n <= kMaxNames);
    std::size_t place = 0;
    for (std::size_t length = 0; length <= kMaxLength; ++length) {
      first_[length] = static_cast<std::uint8_t>(place);
      for (std::string_view name : names) {
        if (name.size() == length) names_[place++] = name;
      }
    }
    first_[kMaxLength + 1] = static_cast<std::uint8_t>(place);
    if (place != n) std::abort();  // a name is too long
  }

  constexpr std::size_t size() const { return size_; }
  // Of a name that is one of them.
  consteval std::size_t PlaceOf(std::string_view name) const {
    for (std::size_t i = 0; i < size_; ++i) {
      if (names_[i] == name) return i;
    }
    std::abort();  // no such name: does not compile
  }

  // The place of `key`; kTwin: it is not one of the names, but a reader that ignores case would
  // take it for one; kOther: it is none.
  std::size_t Find(std::string_view key) const {
    if (key.size() > kMaxLength) return FindTwin(key);
    for (std::size_t i = first_[key.size()]; i < first_[key.size() + 1]; ++i) {
      if (names_[i][0] == key[0] && names_[i] == key) return i;
    }
    return FindTwin(key);
  }

 private:
  static constexpr std::size_t kMaxLength = 47;

  std::size_t FindTwin(std::string_view key) const;

  std::size_t size_;
  std::array<std::string_view, kMaxNames> names_{};   // by length
  std::array<std::uint8_t, kMaxLength + 2> first_{};  // of each length
};

// The members of one object that have such names.
template <const ProtocolNames& kNames>
class ProtocolObject {
 public:
  // Checked by the compiler.
  struct Name {
    consteval Name(const char* name) : place(kNames.PlaceOf(name)) {}       // NOLINT: implicit
    consteval Name(std::string_view name) : place(kNames.PlaceOf(name)) {}  // NOLINT: implicit
    std::size_t place;
  };

  // Reads the members of `object`, where it is one. False: a name has a case twin among the
  // protocol's.
  bool Read(const JsonIndex& index, const JsonNode* object) {
    if (object == nullptr || !object->is_object()) return true;
    for (const JsonNode& member : index.Children(*object)) {
      const std::size_t place = kNames.Find(member.key);
      if (place < kNames.size()) {
        members_[place] = &member;
      } else if (place == ProtocolNames::kTwin) {
        return false;
      }
    }
    return true;
  }

  // nullptr: there is none.
  const JsonNode* operator[](Name name) const { return members_[name.place]; }

 private:
  std::array<const JsonNode*, kNames.size()> members_{};
};

}  // namespace sallyport::agent
