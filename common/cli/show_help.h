#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace sallyport {

// What `--help` of the command that the words name prints, on stdout; no words: of all. The
// program's exit code: 2 for words that name none, which stderr is told.
int ShowHelp(const CLI::App& root, const std::vector<std::string>& words);

}  // namespace sallyport
