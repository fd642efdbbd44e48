#pragma once

#include <cstdint>
#include <utility>

namespace sallyport::agent {

template <class T>
class Held;

// What coroutines go on using for a moment after its owner is done with it: a session that has
// ended, an MCP session that was deleted. The owner keeps it until nobody holds it and deletes it
// then, at a place of its own choosing. On the loop's thread.
class Holdable {
 public:
  Holdable() = default;
  Holdable(const Holdable&) = delete;
  Holdable& operator=(const Holdable&) = delete;

  bool is_held() const { return holders_ > 0; }

 protected:
  ~Holdable() = default;

 private:
  template <class T>
  friend class Held;
  std::uint32_t holders_ = 0;
};

// Keeps a Holdable from being deleted. Never null but when moved from.
template <class T>
class Held {
 public:
  explicit Held(T& object) : object_(&object) { ++count(); }
  Held(const Held& other) : Held(*other.object_) {}
  Held(Held&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Held& operator=(Held other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Held() {
    if (object_ != nullptr) --count();
  }

  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }

 private:
  std::uint32_t& count() const { return static_cast<Holdable*>(object_)->holders_; }

  T* object_;
};

}  // namespace sallyport::agent
