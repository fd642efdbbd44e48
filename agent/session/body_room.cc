#include "agent/session/body_room.h"

namespace sallyport::agent {

BodyRoom::Place::Place(BodyRoom& room, const std::string& principal, std::size_t bytes)
    : room_(room) {
  is_taken_ = bytes <= kLong;
  if (is_taken_) return;
  const auto own = room_.held_by_.find(principal);
  const bool is_too_much_of_one =
      own != room_.held_by_.end() && own->second + bytes > room_.of_one_;
  if (is_too_much_of_one || (room_.held_ > 0 && room_.held_ + bytes > kOfAll)) return;
  is_taken_ = true;
  principal_ = principal;
  bytes_ = bytes;
  room_.held_ += bytes;
  room_.held_by_[principal_] += bytes;
}

void BodyRoom::Place::Shrink(std::size_t bytes) {
  if (bytes >= bytes_) return;
  const std::size_t less = bytes_ - bytes;
  bytes_ = bytes;
  room_.held_ -= less;
  const auto own = room_.held_by_.find(principal_);
  own->second -= less;
  if (own->second == 0) room_.held_by_.erase(own);
}

BodyRoom::Place::~Place() { Shrink(0); }

}  // namespace sallyport::agent
