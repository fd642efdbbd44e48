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
// its own pipe or connection. No server may take more than half of it, whoever asks. A shared_ptr
// owns it. On the loop's thread.
class AnswerRoom {
 public:
  explicit AnswerRoom(Loop& loop) : freed_(loop) {}

  // Of one message. It wakes who waits for room when it goes.
  class Place {
   public:
    Place(std::shared_ptr<AnswerRoom> room, const std::string& principal, const std::string& server,
          std::size_t bytes)
        : room_(std::move(room)),
          of_principal_(room_->of_principals_, principal, bytes),
          of_server_(room_->of_servers_, server, bytes) {}
    ~Place() {
      if (is_taken()) room_->Wake();
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    bool is_taken() const { return of_principal_.is_taken() && of_server_.is_taken(); }
    // All of it has been read: so many bytes.
    void Shrink(std::size_t bytes) {
      of_principal_.Shrink(bytes);
      of_server_.Shrink(bytes);
      room_->Wake();
    }

   private:
    std::shared_ptr<AnswerRoom> room_;
    BodyRoom::Place of_principal_;
    BodyRoom::Place of_server_;
  };

  // Until there may be more than there was; false after `timeout`.
  Signal::Waiting WaitForMore(absl::Duration timeout) {
    freed_.Reset();
    return freed_.Wait(timeout);
  }
  // Whoever waits looks again.
  void Wake() { freed_.Set(); }

 private:
  BodyRoom of_principals_;
  BodyRoom of_servers_{BodyRoom::kOfAll / 2};
  Signal freed_;
};

// Null: it is short, and takes none.
using AnswerPlace = std::shared_ptr<AnswerRoom::Place>;

// One principal's way to the room, by one server. Without one everything is read as it comes.
struct AnswerShare {
  // Of a message that has come as far as this, more is read only when it has its place.
  static constexpr std::size_t kLong = BodyRoom::kLong;

  bool NeedsPlace(std::size_t read, const AnswerPlace& place) const {
    return read > kLong && place == nullptr && room != nullptr;
  }
  // Null: there is no room now.
  AnswerPlace Take(std::size_t bytes) const {
    auto place = std::make_shared<AnswerRoom::Place>(room, principal, server, bytes);
    return place->is_taken() ? std::move(place) : nullptr;
  }

  std::shared_ptr<AnswerRoom> room = nullptr;
  std::string principal = {};
  std::string server = {};
};

}  // namespace sallyport::agent
