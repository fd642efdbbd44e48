#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace sallyport {

// The innermost command that the words so far have named.
const CLI::App& LastOf(const CLI::App& app);

// `sallyport sessions list`
std::string CommandName(const CLI::App& command);

// What is wrong with the words of a command, for stderr: which command, which option, with which
// value, what is expected in its place, and how the command is used. `error` is no call for help.
std::string UsageError(const CLI::App& app, const CLI::ParseError& error);

}  // namespace sallyport
