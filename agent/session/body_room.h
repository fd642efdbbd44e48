#pragma once

#include <cstddef>
#include <string>

#include "absl/container/flat_hash_map.h"

namespace sallyport::agent {

// How many bytes of long messages are held at a time, from when they are read until they are
// answered or delivered: by all, and by one principal, so that nobody takes the memory that
// everybody lives in. One of up to 64 KiB needs no room, for their number is bounded elsewhere. On
// the loop's thread.
class BodyRoom {
 public:
  static constexpr std::size_t kLong = std::size_t{64} << 10;
  static constexpr std::size_t kOfAll = std::size_t{256} << 20;
  static constexpr std::size_t kOfOne = std::size_t{64} << 20;

  explicit BodyRoom(std::size_t of_one = kOfOne) : of_one_(of_one) {}
  BodyRoom(const BodyRoom&) = delete;
  BodyRoom& operator=(const BodyRoom&) = delete;

  // The room of one message, until it goes. The BodyRoom outlives it.
  class Place {
   public:
    // Takes it, if there is so much. Whoever holds nothing may take more than one principal's
    // share, so that the longest message fits alone.
    Place(BodyRoom& room, const std::string& principal, std::size_t bytes);
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    bool is_taken() const { return is_taken_; }
    // Keeps so much of it, where it has more.
    void Shrink(std::size_t bytes);

   private:
    BodyRoom& room_;
    std::string principal_;
    std::size_t bytes_ = 0;
    bool is_taken_ = false;
  };

 private:
  const std::size_t of_one_;
  std::size_t held_ = 0;
  absl::flat_hash_map<std::string, std::size_t> held_by_;
};

}  // namespace sallyport::agent
