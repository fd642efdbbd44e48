#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "agent/loop/loop.h"
#include "agent/loop/signal.h"
#include "agent/session/body_room.h"

namespace sallyport::agent {

// The room for what is long of what servers say: a message of more than 64 KiB is read on once
// there is room for as much as it may still become, and holds it until it has been delivered. So
// nobody waits who holds room for a part of a message, and a server that has much to say waits in
// its own pipe or connection. A shared_ptr owns it. On the loop's thread.
class AnswerRoom {
 public:
  explicit AnswerRoom(Loop& loop) : freed_(loop) {}

  // Of one message. It wakes who waits for room when it goes.
  class Place {
   public:
    Place(std::shared_ptr<AnswerRoom> room, const std::string& principal, std::size_t bytes)
        : room_(std::move(room)), place_(room_->bodies_, principal, bytes) {}
    ~Place() {
      if (is_taken()) room_->Wake();
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    bool is_taken() const { return place_.is_taken(); }
    // All of it has been read: so many bytes.
    void Shrink(std::size_t bytes) {
      place_.Shrink(bytes);
      room_->Wake();
    }

   private:
    std::shared_ptr<AnswerRoom> room_;
    BodyRoom::Place place_;
  };

  // Until there may be more than there was; false after `timeout`.
  Signal::Waiting WaitForMore(absl::Duration timeout) {
    freed_.Reset();
    return freed_.Wait(timeout);
  }
  // Whoever waits looks again.
  void Wake() { freed_.Set(); }

 private:
  BodyRoom bodies_;
  Signal freed_;
};

// Null: it is short, and takes none.
using AnswerPlace = std::shared_ptr<AnswerRoom::Place>;

// One principal's way to the room. Without one everything is read as it comes.
struct AnswerShare {
  // Of a message that has come as far as this, more is read only when it has its place.
  static constexpr std::size_t kLong = BodyRoom::kLong;

  bool NeedsPlace(std::size_t read, const AnswerPlace& place) const {
    return read > kLong && place == nullptr && room != nullptr;
  }
  // Null: there is no room now.
  AnswerPlace Take(std::size_t bytes) const {
    auto place = std::make_shared<AnswerRoom::Place>(room, principal, bytes);
    return place->is_taken() ? std::move(place) : nullptr;
  }

  std::shared_ptr<AnswerRoom> room = nullptr;
  std::string principal = {};
};

}  // namespace sallyport::agent
