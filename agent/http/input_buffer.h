#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace sallyport::agent {

// What a connection has read and not looked at yet. Its memory is kept, and never filled for the
// kernel to fill again.
class InputBuffer {
 public:
  bool empty() const { return begin_ == end_; }
  std::string_view view() const { return {bytes_.get() + begin_, end_ - begin_}; }
  // The first `n` have been looked at.
  void Consume(std::size_t n) { begin_ += n; }

  // Room for at least `n` more; Commit says how much of it was used.
  char* Prepare(std::size_t n) {
    if (begin_ == end_) begin_ = end_ = 0;
    if (capacity_ - end_ < n) Grow(n);
    return bytes_.get() + end_;
  }
  void Commit(std::size_t n) { end_ += n; }
  // Gives back what one large message has made it grow beyond `n`. Only when it is empty.
  void Trim(std::size_t n) {
    if (capacity_ <= n || !empty()) return;
    bytes_.reset();
    capacity_ = begin_ = end_ = 0;
  }

 private:
  void Grow(std::size_t n) {
    const std::size_t held = end_ - begin_;
    if (capacity_ < held + n) {
      capacity_ = held + n;
      std::unique_ptr<char[]> larger(new char[capacity_]);
      if (held > 0) std::memcpy(larger.get(), bytes_.get() + begin_, held);
      bytes_ = std::move(larger);
    } else {
      std::memmove(bytes_.get(), bytes_.get() + begin_, held);
    }
    begin_ = 0;
    end_ = held;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace sallyport::agent
