// ThreadSanitizer sees what an absl::Mutex orders: Debian's abseil is not instrumented, so each
// call of it that our objects make is led through here (`-Wl,--wrap`, tests/CMakeLists.txt) and
// tells the sanitizer what it has acquired and what it lets go. Builds with the sanitizer only.
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

extern "C" {

void __tsan_acquire(void* address);
void __tsan_release(void* address);

// SQLite is not instrumented either: what it does under its own locks is not ours to judge.
const char* __tsan_default_suppressions() { return "called_from_lib:libsqlite3.so\n"; }

#define REAL(name) __real__ZN4absl7debian35Mutex##name
#define WRAP(name) __wrap__ZN4absl7debian35Mutex##name

void REAL(4LockEv)(absl::Mutex*);
void WRAP(4LockEv)(absl::Mutex* mutex) {
  REAL(4LockEv)(mutex);
  __tsan_acquire(mutex);
}

void REAL(6UnlockEv)(absl::Mutex*);
void WRAP(6UnlockEv)(absl::Mutex* mutex) {
  __tsan_release(mutex);
  REAL(6UnlockEv)(mutex);
}

void REAL(5AwaitERKNS0_9ConditionE)(absl::Mutex*, const absl::Condition&);
void WRAP(5AwaitERKNS0_9ConditionE)(absl::Mutex* mutex, const absl::Condition& condition) {
  __tsan_release(mutex);
  REAL(5AwaitERKNS0_9ConditionE)(mutex, condition);
  __tsan_acquire(mutex);
}

bool REAL(16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE)(absl::Mutex*, const absl::Condition&,
                                                              absl::Duration);
bool WRAP(16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE)(absl::Mutex* mutex,
                                                              const absl::Condition& condition,
                                                              absl::Duration timeout) {
  __tsan_release(mutex);
  const bool is_true =
      REAL(16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE)(mutex, condition, timeout);
  __tsan_acquire(mutex);
  return is_true;
}

}  // extern "C"
