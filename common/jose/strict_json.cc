#include "common/jose/strict_json.h"

#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace sallyport::jose {
namespace {

using Json = nlohmann::json;

// Builds the value event by event; the first thing that may not be ends the parse. nlohmann's own
// parser keeps its nesting on the heap, and refuses invalid UTF-8, lone surrogates, comments and
// whatever follows the value; it takes repeated names, skips a byte order mark and ends at a NUL.
class StrictReader final : public nlohmann::json_sax<Json> {
 public:
  explicit StrictReader(int max_depth) : max_depth_(max_depth) {}

  bool null() override { return Put(nullptr); }
  bool boolean(bool value) override { return Put(value); }
  bool number_integer(number_integer_t value) override { return Put(value); }
  bool number_unsigned(number_unsigned_t value) override { return Put(value); }
  bool number_float(number_float_t value, const string_t&) override { return Put(value); }
  bool string(string_t& value) override { return Put(std::move(value)); }
  bool binary(binary_t&) override { return Fail("not JSON"); }

  bool start_object(std::size_t) override { return Open(Json::object()); }
  bool end_object() override { return Close(); }
  bool start_array(std::size_t) override { return Open(Json::array()); }
  bool end_array() override { return Close(); }

  bool key(string_t& name) override {
    auto [member, is_new] = open_.back()->get_ref<Json::object_t&>().try_emplace(std::move(name));
    if (!is_new) return Fail("repeated member name");
    next_member_ = &member->second;
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& e) override {
    const bool is_out_of_range = e.id >= 400 && e.id < 500;
    return Fail(is_out_of_range ? "number out of range" : "not valid JSON");
  }

  const char* error() const { return error_; }
  Json Take() { return std::move(root_); }

 private:
  bool Put(Json value) {
    Place(std::move(value));
    return true;
  }

  bool Open(Json container) {
    if (static_cast<int>(open_.size()) >= max_depth_) return Fail("nested too deep");
    open_.push_back(Place(std::move(container)));
    return true;
  }

  bool Close() {
    open_.pop_back();
    return true;
  }

  // Where the value now lives. A container stays where it is while it is open: only the innermost
  // one grows.
  Json* Place(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) {
      auto& elements = open_.back()->get_ref<Json::array_t&>();
      elements.push_back(std::move(value));
      return &elements.back();
    }
    *next_member_ = std::move(value);
    return next_member_;
  }

  bool Fail(const char* error) {
    if (error_ == nullptr) error_ = error;
    return false;
  }

  const int max_depth_;
  Json root_;
  std::vector<Json*> open_;
  Json* next_member_ = nullptr;
  const char* error_ = nullptr;
};

// Over a text of which somebody wants to know how far it was read.
class Tracking {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Tracking(const char* at, std::size_t* read) : at_(at), read_(read) {}
  reference operator*() const { return *at_; }
  Tracking& operator++() {
    ++at_;
    ++*read_;
    return *this;
  }
  Tracking operator++(int) {
    const Tracking before = *this;
    ++*this;
    return before;
  }
  bool operator==(const Tracking& other) const { return at_ == other.at_; }

 private:
  const char* at_;
  std::size_t* read_;
};

}  // namespace

absl::StatusOr<Json> ParseStrictJson(std::string_view text, int max_depth,
                                     std::size_t* stopped_at) {
  std::size_t read = 0;
  std::size_t& at = stopped_at == nullptr ? read : *stopped_at;
  at = 0;
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    at = nul;
    return absl::InvalidArgumentError("holds a NUL");
  }
  if (text.substr(0, 3) == "\xef\xbb\xbf") {
    return absl::InvalidArgumentError("begins with a byte order mark");
  }
  StrictReader reader(max_depth);
  if (Json::sax_parse(Tracking(text.data(), &at), Tracking(text.data() + text.size(), &at),
                      &reader))
    return reader.Take();
  return absl::InvalidArgumentError(reader.error() != nullptr ? reader.error() : "not valid JSON");
}

}  // namespace sallyport::jose
