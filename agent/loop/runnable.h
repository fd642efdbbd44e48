#pragma once

namespace sallyport::agent {

// What the loop runs when its turn comes. It is in one list at most, which it leaves when it goes,
// so nothing that is queued has to be counted, copied or looked for. On the loop's thread.
class Runnable {
 public:
  Runnable() = default;
  Runnable(const Runnable&) = delete;
  Runnable& operator=(const Runnable&) = delete;

  bool is_listed() const { return next_ != nullptr; }
  void Leave() {
    if (next_ == nullptr) return;
    before_->next_ = next_;
    next_->before_ = before_;
    before_ = next_ = nullptr;
  }

 protected:
  ~Runnable() { Leave(); }

 private:
  friend class Loop;
  friend class RunList;
  // In no list any more. May destroy itself.
  virtual void Run() = 0;
  // The loop goes away, and it will not be run.
  virtual void Drop() {}

  Runnable* before_ = nullptr;
  Runnable* next_ = nullptr;
};

class RunList {
 public:
  RunList() { ends_.before_ = ends_.next_ = &ends_; }

  bool empty() const { return ends_.next_ == &ends_; }
  void PushBack(Runnable& one) {
    one.Leave();
    one.before_ = ends_.before_;
    one.next_ = &ends_;
    ends_.before_->next_ = &one;
    ends_.before_ = &one;
  }
  // Null when it is empty.
  Runnable* PopFront() {
    if (empty()) return nullptr;
    Runnable* const first = ends_.next_;
    first->Leave();
    return first;
  }

 private:
  class Ends final : public Runnable {
    void Run() override {}
  };
  Ends ends_;
};

}  // namespace sallyport::agent
