#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>

namespace sallyport {

// What is written to stderr while it lives: the program's log.
class CapturedStderr {
 public:
  CapturedStderr() : file_(std::tmpfile()), kept_(dup(STDERR_FILENO)) {
    dup2(fileno(file_), STDERR_FILENO);
  }
  ~CapturedStderr() {
    if (kept_ >= 0) Text();
    std::fclose(file_);
  }
  CapturedStderr(const CapturedStderr&) = delete;
  CapturedStderr& operator=(const CapturedStderr&) = delete;
  // Ends the taking.
  std::string Text() {
    dup2(kept_, STDERR_FILENO);
    close(std::exchange(kept_, -1));
    std::rewind(file_);
    std::string text(1 << 16, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file_));
    return text;
  }

 private:
  std::FILE* file_;
  int kept_;
};

}  // namespace sallyport
